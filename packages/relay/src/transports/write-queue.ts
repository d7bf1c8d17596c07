// What is on its way into a Writable: lines in order, those of one turn in one write, none later than that turn's end.
// Under ./stream. Invariant: `bytes` counts all that the peer has not taken, ours and what the Writable holds.

import type { Writable } from 'node:stream';

/** Lines are gathered into one buffer up to this size; a longer one is written as it is, without a copy. */
const GATHER_BYTES = 64 * 1024;
const NEWLINE = Buffer.from('\n');

export class WriteQueue {
  readonly #output: Writable;
  #lines: Buffer[] = [];
  #bytes = 0;
  #scheduled = false;
  /** The output asked us to wait for its `drain`. */
  #blocked = false;
  #dropped = false;
  #waiting: { readonly mark: number; readonly wake: () => void }[] = [];

  /** After each write, for `drain` comes only where the Writable's own mark was passed. */
  readonly #taken = () => this.#wake();

  constructor(output: Writable) {
    this.#output = output;
    output.on('drain', () => {
      this.#blocked = false;
      this.#flush();
    });
  }

  get bytes(): number {
    return this.#bytes + this.#output.writableLength;
  }

  add(line: Buffer): void {
    if (this.#dropped) return;
    this.#lines.push(line);
    this.#bytes += line.length + 1;
    if (this.#scheduled || this.#blocked) return;
    this.#scheduled = true;
    // Runs before any other event: no latency, but all that this event's handlers send goes out together.
    process.nextTick(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  /** Resolves when fewer than `mark` bytes wait, or none ever will. */
  below(mark: number): Promise<void> {
    if (this.#dropped || this.bytes < mark) return Promise.resolve();
    return new Promise((wake) => this.#waiting.push({ mark, wake }));
  }

  /** The output takes nothing any more. */
  drop(): void {
    this.#dropped = true;
    this.#lines = [];
    this.#bytes = 0;
    this.#wake();
  }

  /** Writes what is queued and ends the output; what has not left after `patienceMs` is lost. */
  async end(patienceMs: number): Promise<void> {
    const output = this.#output;
    if (!output.writable) {
      this.drop();
      // Whoever closed us is never called back before it has returned.
      await Promise.resolve();
      return;
    }
    while (this.#lines.length > 0) this.#writeSome();
    this.drop();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => output.destroy(), patienceMs);
      const done = () => {
        clearTimeout(timer);
        resolve();
      };
      output.once('close', done);
      output.end(done);
    });
  }

  #flush(): void {
    while (this.#lines.length > 0 && !this.#blocked && this.#output.writable) this.#blocked = !this.#writeSome();
    this.#wake();
  }

  #wake(): void {
    if (this.#waiting.length === 0) return;
    const ready = ({ mark }: { mark: number }) => this.#dropped || this.bytes < mark;
    const woken = this.#waiting.filter(ready);
    this.#waiting = this.#waiting.filter((waiter) => !woken.includes(waiter));
    for (const { wake } of woken) wake();
  }

  /** One write, and whether the output wants more. */
  #writeSome(): boolean {
    const [first] = this.#lines;
    if (first === undefined) return true;
    if (first.length >= GATHER_BYTES) {
      this.#lines.shift();
      this.#bytes -= first.length + 1;
      this.#output.cork();
      this.#output.write(first);
      const more = this.#output.write(NEWLINE, this.#taken);
      this.#output.uncork();
      return more;
    }
    let count = 0;
    let bytes = 0;
    for (const line of this.#lines) {
      if (count > 0 && bytes + line.length + 1 > GATHER_BYTES) break;
      bytes += line.length + 1;
      count++;
    }
    const joined = Buffer.allocUnsafe(bytes);
    let at = 0;
    for (const line of this.#lines.splice(0, count)) {
      at += line.copy(joined, at);
      joined[at++] = 0x0a;
    }
    this.#bytes -= bytes;
    return this.#output.write(joined, this.#taken);
  }
}
