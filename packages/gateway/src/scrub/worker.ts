// The thread that looks through large messages. Gets the patterns once, then one job at a time; answers what it found.

import { parentPort, workerData } from 'node:worker_threads';
import { hostCheck } from './hosts.ts';
import { bodyOf, type Looked, lookThrough, mayHold, NOTHING } from './look.ts';
import type { PatternSpec, Surface } from './pattern.ts';
import { Rulebook } from './rulebook.ts';
import { Scanner } from './scan.ts';

export interface WorkerSettings {
  readonly specs: readonly PatternSpec[];
  readonly hosts: readonly string[] | undefined;
  /** How much work one message may make. */
  readonly work: number;
}

export interface Job {
  readonly surface: Surface;
  /** JSON: a message, or what it carries. */
  readonly bytes: Uint8Array;
  readonly holds: 'message' | 'body';
}

const settings = workerData as WorkerSettings;
const book = new Rulebook(settings.specs, () => false);
const scanner = new Scanner(book, hostCheck(settings.hosts));

parentPort?.postMessage('ready');
parentPort?.on('message', (job: Job) => parentPort?.postMessage(look(job)));

function look({ surface, bytes, holds }: Job): Looked {
  if (!mayHold(bytes, book)) return NOTHING;
  const parsed: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  if (holds === 'body') return lookThrough(parsed, surface, scanner, settings.work);
  const { body, isError } = bodyOf({ kind: 'response' }, parsed);
  return lookThrough(body, isError ? 'error' : surface, scanner, settings.work);
}
