// stdout and stderr of the scripted server: whole writes in order, or one byte at a time. A pipe that nobody reads
// blocks the program inside its write, as it would block a program in C.

import { writeSync } from 'node:fs';

const DESCRIPTORS = { stdout: 1, stderr: 2 };

export function createOutput({ drip, crlf }) {
  let tail = Promise.resolve();

  /** Bytes or text, exactly as given. */
  function raw(data, stream = 'stdout') {
    const bytes = Buffer.from(data);
    if (!drip || stream === 'stderr') writeAll(DESCRIPTORS[stream], bytes);
    else tail = tail.then(() => dripOut(bytes));
  }

  return {
    raw,
    line: (text, stream) => raw(`${text}${crlf ? '\r\n' : '\n'}`, stream),
    message: (value) => raw(`${JSON.stringify(value)}${crlf ? '\r\n' : '\n'}`),
    flushed: () => tail,
  };
}

async function dripOut(bytes) {
  for (const byte of bytes) {
    writeAll(1, Buffer.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function writeAll(descriptor, bytes) {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      // The reader made the pipe non-blocking and is slow; or it is gone.
      if (error.code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      else if (error.code === 'EPIPE' || error.code === 'EBADF') return;
      else throw error;
    }
  }
}
