// What the tests of frames and channels share.

import type { Message } from '../../src/channel/message.ts';
import { FRAME_CAPS, type FrameCaps, MessageReader } from '../../src/channel/message-reader.ts';
import { ZitiError, type ZitiErrorCode } from '../../src/errors.ts';

export const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

export interface ReadResult {
  readonly read: Message[];
  /** Code of the error that ended it. Anything but a ZitiError is thrown. */
  readonly error: ZitiErrorCode | undefined;
}

export function readAll(chunks: Iterable<Buffer>, caps: FrameCaps = FRAME_CAPS): ReadResult {
  const reader = new MessageReader('router', caps);
  const read: Message[] = [];
  try {
    for (const chunk of chunks) {
      reader.push(chunk);
      for (let message = reader.next(); message; message = reader.next()) read.push(message);
    }
  } catch (error) {
    if (!(error instanceof ZitiError)) throw error;
    return { read, error: error.code };
  }
  return { read, error: undefined };
}
