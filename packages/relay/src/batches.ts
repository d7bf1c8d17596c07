// JSON-RPC batches, arrays of messages in one line or body. Revision 2025-03-26 alone has them ("MUST support receiving"),
// so they are taken where that one was agreed on, and refused everywhere else. They are taken apart where they come in:
// everything behind sees single messages. On a stream of lines the answers go back as one array, when the last is there
// (JSON-RPC 2.0, 6 "Batch"); over HTTP they share a stream (transports/http/streamable-session).

import { faultReply } from './faults.ts';
import { stringifyExact } from './json-exact.ts';
import { isFault, parseMessage, readMessage } from './json-rpc.ts';
import type { ScanLimits } from './json-scan.ts';
import type { Limits } from './limits.ts';
import type { Fault, Message } from './message.ts';

export const BATCH_VERSION = '2025-03-26';

export type BatchLimits = ScanLimits & Pick<Limits, 'batchMessages'>;

const [BEGIN, SEPARATOR, END] = ['[', ',', ']'].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer];
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPENS = new Set([0x5b, 0x7b]);
const CLOSES = new Set([0x5d, 0x7d]);

/** The messages of an array that `readMessage` has called a batch, or why it is not taken. */
export function splitBatch(line: Buffer, limits: BatchLimits): readonly (Message | Fault)[] | Fault {
  const parts = partsOf(line, limits.batchMessages + 1);
  if (parts.length > 0 && parts.length <= limits.batchMessages) return parts.map((part) => readMessage(part, limits));
  const fault = { id: undefined, kind: 'unknown', bytes: line.length, preview: '[' } as const;
  return { code: parts.length === 0 ? 'not_json_rpc' : 'batch_too_large', ...fault };
}

/** Elements of an array of which the grammar is known to be right; no more than `max` of them. */
function partsOf(line: Buffer, max: number): Buffer[] {
  const parts: Buffer[] = [];
  let depth = 0;
  let start = line.indexOf('[') + 1;
  for (let at = start; parts.length < max; at += 1) {
    const byte = line[at] as number;
    if (byte === QUOTE) at = endOfString(line, at);
    else if (OPENS.has(byte)) depth += 1;
    else if (CLOSES.has(byte)) depth -= 1;
    const ends = depth < 0;
    if (!ends && !(byte === COMMA && depth === 0)) continue;
    const part = line.subarray(start, at);
    if (!ends || parts.length > 0 || part.toString().trim() !== '') parts.push(part);
    if (ends) break;
    start = at + 1;
  }
  return parts;
}

function endOfString(line: Buffer, quote: number): number {
  let at = quote + 1;
  while (line[at] !== QUOTE) at += line[at] === BACKSLASH ? 2 : 1;
  return at;
}

interface Batch {
  waiting: number;
  readonly answers: Buffer[];
}

export interface BatchesOptions {
  readonly limits: BatchLimits;
  /** Answers that wait for the others of their batch; beyond that each leaves alone. */
  readonly maxHeldBytes: number;
  write(bytes: Buffer): void;
}

/** The batches of one stream of lines. */
export class Batches {
  readonly #options: BatchesOptions;
  /** Of the initialize that is open. */
  #greeting: string | undefined;
  #version: string | undefined;
  /** Open requests that came in a batch. */
  readonly #open = new Map<string, Batch[]>();
  #held = 0;

  constructor(options: BatchesOptions) {
    this.#options = options;
  }

  /** Whether both ends agreed on the revision that has batches. */
  get allowed(): boolean {
    return this.#version === BATCH_VERSION;
  }

  /** Every message that passes, either way. */
  see(message: Message, arrives: boolean): void {
    if (message.method === 'initialize') this.#greeting = message.id;
    else if (message.kind === 'response' && message.id === this.#greeting && this.#greeting !== undefined) {
      this.#greeting = undefined;
      const { result } = parseMessage(message) as { result?: { protocolVersion?: unknown } | null };
      this.#version = typeof result?.protocolVersion === 'string' ? result.protocolVersion : undefined;
    } else if (arrives && this.#open.size > 0 && message.method === 'notifications/cancelled') this.#cancelled(message);
  }

  /** What is to be delivered of it. What is no message is answered beside the others. */
  take(line: Buffer): readonly (Message | Fault)[] {
    const parts = splitBatch(line, this.#options.limits);
    if (!Array.isArray(parts)) return [parts as Fault];
    const batch: Batch = { waiting: 0, answers: [] };
    const messages: Message[] = [];
    for (const part of parts as readonly (Message | Fault)[]) {
      if (isFault(part)) {
        const reply = faultReply(part);
        if (reply !== undefined) this.#keep(batch, reply.bytes);
        continue;
      }
      messages.push(part);
      if (part.kind !== 'request' || part.id === undefined) continue;
      batch.waiting += 1;
      this.#open.set(part.id, [...(this.#open.get(part.id) ?? []), batch]);
    }
    this.#flush(batch);
    return messages;
  }

  /** false: it answers nothing that came in a batch. */
  answer({ kind, id, bytes }: Message): boolean {
    const batch = kind === 'response' && id !== undefined ? this.#settle(id) : undefined;
    if (batch === undefined) return false;
    this.#keep(batch, bytes);
    this.#flush(batch);
    return true;
  }

  #keep(batch: Batch, bytes: Buffer): void {
    if (this.#held + bytes.length > this.#options.maxHeldBytes) {
      this.#options.write(bytes);
      return;
    }
    batch.answers.push(bytes);
    this.#held += bytes.length;
  }

  #settle(id: string): Batch | undefined {
    const [batch, ...others] = this.#open.get(id) ?? [];
    if (others.length > 0) this.#open.set(id, others);
    else this.#open.delete(id);
    if (batch !== undefined) batch.waiting -= 1;
    return batch;
  }

  /** A request that is taken back is not answered (MCP): the others do not wait for it. */
  #cancelled(message: Message): void {
    const { params } = parseMessage(message) as { params?: { requestId?: unknown } | null };
    const batch = this.#settle(stringifyExact(params?.requestId ?? null));
    if (batch !== undefined) this.#flush(batch);
  }

  #flush({ waiting, answers }: Batch): void {
    if (waiting > 0 || answers.length === 0) return;
    for (const { length } of answers) this.#held -= length;
    const parts = answers.flatMap((answer) => [SEPARATOR, answer]).slice(1);
    this.#options.write(Buffer.concat([BEGIN, ...parts, END]));
  }
}
