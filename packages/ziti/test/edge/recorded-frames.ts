// Frames that real routers and clients exchanged (../fixtures/frames.jsonl).

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Headers } from '../../src/channel/headers.ts';
import type { Message } from '../../src/channel/message.ts';

export interface RecordedFrame extends Message {
  readonly in: string;
  readonly name: string;
  readonly ch: string;
  readonly from: 'client' | 'router';
}

export interface RecordedKey {
  readonly in: string;
  readonly key: 'dialer' | 'host';
  readonly publicKey: string;
  readonly secretKey: string;
}

const file = join(import.meta.dirname, '..', 'fixtures', 'frames.jsonl');
const lines = readFileSync(file, 'utf8').trim().split('\n').slice(1);
const entries = lines.map((line) => JSON.parse(line));

export const RECORDED_KEYS: readonly RecordedKey[] = entries.filter((entry) => 'key' in entry);

export const RECORDED_FRAMES: readonly RecordedFrame[] = entries
  .filter((entry) => 'name' in entry)
  .map((entry) => {
    const headers = new Headers();
    for (const [key, value] of Object.entries<string>(entry.headers)) headers.setBytes(Number(key), bytes(value));
    return { ...entry, sequence: entry.seq, headers, body: bytes(entry.body) };
  });

/** The first one that fits; throws if there is none. */
export function recordedFrame(scenario: string, name: string, ch?: string): RecordedFrame {
  const found = RECORDED_FRAMES.find((one) => one.in === scenario && one.name === name && (!ch || one.ch === ch));
  if (!found) throw new Error(`no recording of ${name} in ${scenario}`);
  return found;
}

/** Header id → hex, sorted. */
export function plainHeaders(headers: Headers): Record<string, string> {
  const entries = [...headers].map(([key, value]) => [String(key), Buffer.from(value).toString('hex')]);
  return Object.fromEntries(entries.sort(([a], [b]) => Number(a) - Number(b)));
}

export function bytes(hex: string): Buffer {
  return Buffer.from(hex, 'hex');
}
