// Reads a server-sent event stream from bytes. The parser works on characters, so bytes are given to it one by one as
// Latin-1 and taken back the same way: data stays byte for byte what the server sent, invalid UTF-8 included, and caps
// count bytes. An event over the cap is skipped in bounded memory; its ends are kept, to tell whose answer it was.

import { createParser, type EventSourceParser } from 'eventsource-parser';
import { GLIMPSE_BYTES } from '../../json-peek.ts';
import type { LongLine } from '../../json-rpc.ts';

export interface EventHandlers {
  /** `event` is 'message' where the server names none. */
  event(name: string, data: Buffer, id: string | undefined): void;
  retry(ms: number): void;
  /** Told when the end of the skipped event has come. */
  tooLong(ends: LongLine): void;
}

/** Field names and line ends around the data of one event. */
const FRAME_BYTES = 4096;

export class EventReader {
  readonly #handlers: EventHandlers;
  readonly #parser: EventSourceParser;
  #afterReturn = false;
  /** The last character was a newline: one more ends the event. */
  #atLineStart = true;
  /** First bytes of the event that has begun. */
  #head = '';
  #overflowed = false;
  #skipped: { head: string; tail: string; bytes: number } | undefined;
  #size = 0;

  constructor(maxBytes: number, handlers: EventHandlers) {
    this.#handlers = handlers;
    this.#parser = createParser({
      maxBufferSize: maxBytes + FRAME_BYTES,
      onEvent: ({ event, data, id }) => handlers.event(event ?? 'message', Buffer.from(data, 'latin1'), id),
      onRetry: (ms) => handlers.retry(ms),
      onError: ({ type }) => {
        if (type === 'max-buffer-size-exceeded') this.#overflowed = true;
      },
    });
  }

  push(chunk: Buffer): void {
    const text = this.#skip(this.#oneLineEnd(chunk.toString('latin1')));
    if (text === '') return;
    this.#follow(text);
    this.#parser.feed(text);
    if (!this.#overflowed) return;
    this.#overflowed = false;
    this.#parser.reset();
    this.#skipped = { head: this.#head, tail: text.slice(-GLIMPSE_BYTES), bytes: this.#size };
  }

  /** CR and CRLF become LF: the parser is quadratic in a chunk full of lone CRs, and holds an event back behind one. */
  #oneLineEnd(text: string): string {
    const rest = this.#afterReturn && text.startsWith('\n') ? text.slice(1) : text;
    this.#afterReturn = text.endsWith('\r');
    return rest.includes('\r') ? rest.replace(/\r\n?/g, '\n') : rest;
  }

  /** Where the event that has begun began, and how long it is by now. */
  #follow(text: string): void {
    const blank = text.lastIndexOf('\n\n');
    const border = blank >= 0 ? blank + 2 : this.#atLineStart && text.startsWith('\n') ? 1 : 0;
    if (border > 0) {
      this.#head = '';
      this.#size = 0;
    }
    this.#head += text.slice(border, border + GLIMPSE_BYTES - this.#head.length);
    this.#size += text.length - border;
    this.#atLineStart = text.endsWith('\n');
  }

  #skip(text: string): string {
    const skipped = this.#skipped;
    if (skipped === undefined || text === '') return text;
    const blank = this.#atLineStart && text.startsWith('\n') ? -1 : text.indexOf('\n\n');
    const ends = this.#atLineStart && text.startsWith('\n') ? 1 : blank < 0 ? -1 : blank + 2;
    const part = ends < 0 ? text : text.slice(0, ends);
    skipped.tail = (skipped.tail + part).slice(-GLIMPSE_BYTES);
    skipped.bytes += part.length;
    this.#atLineStart = part.endsWith('\n');
    if (ends < 0) return '';
    this.#skipped = undefined;
    this.#head = '';
    this.#size = 0;
    this.#handlers.tooLong({
      head: Buffer.from(dataOf(skipped.head), 'latin1'),
      tail: Buffer.from(skipped.tail, 'latin1'),
      bytes: skipped.bytes,
    });
    return text.slice(ends);
  }
}

/** From the first data of an event's beginning. */
function dataOf(head: string): string {
  return head.replace(/^(?:(?!data:)[^\n]*\n)*(?:data: ?)?/, '');
}
