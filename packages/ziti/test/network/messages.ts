// Messages over a connection: 4 bytes of length (big-endian) and that many bytes, as the C peers send them (../testing/c-sdk/
// frames.py). Ends are told by length: the C SDK drops what it still holds when a connection closes.

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';

export function send(stream: Duplex, data: Uint8Array): void {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  stream.write(length);
  stream.write(data);
}

export async function receive(stream: Duplex): Promise<Buffer> {
  const length = (await exactly(stream, 4)).readUInt32BE();
  return exactly(stream, length);
}

/** Sends every message back until the dialer ends. */
export async function echoMessages(stream: Duplex): Promise<void> {
  try {
    for (;;) {
      const message = await receive(stream);
      // A reader that does not wait for its writer would hold it all.
      if (!stream.write(message.length === 0 ? '' : framed(message))) await once(stream, 'drain');
    }
  } catch {
    stream.destroy();
  }
}

/** One message there and back; true when it is the same. */
export async function comesBack(stream: Duplex, bytes: number): Promise<boolean> {
  const data = randomBytes(bytes);
  send(stream, data);
  return hashOf(await receive(stream)) === hashOf(data);
}

function framed(data: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  return Buffer.concat([length, data]);
}

function hashOf(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

async function exactly(stream: Duplex, bytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let missing = bytes;
  while (missing > 0) {
    const part: Buffer | null = stream.read(Math.min(missing, stream.readableLength || missing));
    if (part) {
      parts.push(part);
      missing -= part.length;
    } else {
      if (stream.readableEnded || stream.destroyed) throw new Error(`ended with ${missing} bytes missing`);
      await change(stream);
    }
  }
  return Buffer.concat(parts);
}

/** Something to read, or an end. */
function change(stream: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of ['readable', 'end', 'close']) stream.off(event, done);
      resolve();
    };
    for (const event of ['readable', 'end', 'close']) stream.once(event, done);
  });
}
