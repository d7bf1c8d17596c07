// The writing end towards a child, without the child's death in it: a broken stdin must not end the transport while the
// child's last words are still in the other pipe. What is written to a dead child is dropped; its exit tells the rest.

import { Writable } from 'node:stream';

/** `onBroken`: the child closed its input, or died. */
export function tolerantInput(stdin: Writable, onBroken: () => void): Writable {
  let broken = false;
  let goOn: (() => void) | undefined;

  function release(): void {
    const waiting = goOn;
    goOn = undefined;
    waiting?.();
  }

  function broke(): void {
    broken = true;
    release();
    onBroken();
  }

  stdin.on('error', broke);
  stdin.on('close', broke);
  stdin.on('drain', release);

  /** Calls back as soon as the pipe takes more, so that nothing waits for a turn while it flows. */
  function forward(chunk: Buffer, done: () => void): void {
    if (broken || stdin.write(chunk)) done();
    else goOn = done;
  }

  return new Writable({
    decodeStrings: false,
    write: (chunk: Buffer, _encoding, done) => forward(chunk, done),
    writev: (chunks, done) => forward(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)), done),
    final(done) {
      if (broken) done();
      else stdin.end(() => done());
    },
  });
}
