// The receipts of one share, one JSON line each in the state folder's `receipts`, 0600: the latest thousand, so that a cut
// or edited log is found at the caller's end (`mcp-gateway audit verify --anchor FILE`). Written together once a second,
// without waiting for the disk; several programs of one user may write the same file, one at a time.

import { createHash, randomBytes } from 'node:crypto';
import { open, readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { locked, type ShareKey, stateFolder } from '@mcp-overlay/overlay';
import { type Receipt, readReceipt } from './receipt.ts';
import { type Heads, NO_HEADS, seen } from './watch.ts';

export const KEPT_RECEIPTS = 1000;
/** Above this many bytes a file is cut to the latest thousand; a line has about 170. */
const CUT_BYTES = 512 * 1024;
const FLUSH_MS = 1000;
/** Waiting for the next flush; more come only from a server that floods. */
const MAX_WAITING = 10_000;

export interface KeptReceipt extends Receipt {
  /** ISO time at which it came. */
  readonly at: string;
}

export interface ReceiptKeeper {
  keep(receipt: Receipt): void;
  /** Highest numbers on file; asked once, before the first call. */
  heads(): Promise<Heads>;
  /** Writes what is left. */
  close(): Promise<void>;
}

export interface ReceiptKeeperOptions {
  readonly key: ShareKey;
  readonly env: NodeJS.ProcessEnv;
  readonly log: { warn(fields: object, event: string): void };
}

export function receiptKeeper({ key, env, log }: ReceiptKeeperOptions): ReceiptKeeper {
  let waiting: KeptReceipt[] = [];
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const lines = waiting.map((receipt) => `${JSON.stringify(receipt)}\n`).join('');
    waiting = [];
    if (lines === '') return;
    writing = writing
      .then(() => append(key, env, lines))
      .catch((error: Error) => log.warn({ share: key.share, error: error.message }, 'receipts cannot be kept'));
  };
  return {
    keep: ({ log, seq, hash }) => {
      if (waiting.length >= MAX_WAITING) waiting = waiting.slice(-KEPT_RECEIPTS);
      waiting.push({ log, seq, hash, at: new Date().toISOString() });
      timer ??= setTimeout(flush, FLUSH_MS).unref();
    },
    heads: async () => {
      const receipts = await keptReceipts(key, env).catch(() => []);
      return receipts.reduce(seen, NO_HEADS);
    },
    close: () => {
      flush();
      return writing;
    },
  };
}

/** Oldest first, at most the latest thousand. Lines that are none are passed over: a program may have ended in one. */
export async function keptReceipts(key: ShareKey, env: NodeJS.ProcessEnv): Promise<readonly KeptReceipt[]> {
  const text = await readFile(await pathOf(key, env), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return latest(text);
}

async function append(key: ShareKey, env: NodeJS.ProcessEnv, lines: string): Promise<void> {
  const path = await pathOf(key, env);
  const { run } = await stateFolder(env);
  await locked(join(run, 'receipts.lock'), async () => {
    let size: number;
    {
      await using file = await open(path, 'a', 0o600);
      await file.writeFile(lines);
      size = (await file.stat()).size;
    }
    if (size > CUT_BYTES) await cut(path);
  });
}

async function cut(path: string): Promise<void> {
  const kept = latest(await readFile(path, 'utf8'));
  const draft = `${path}.draft-${randomBytes(5).toString('hex')}`;
  try {
    {
      await using file = await open(draft, 'wx', 0o600);
      await file.writeFile(kept.map((receipt) => `${JSON.stringify(receipt)}\n`).join(''));
    }
    await rename(draft, path);
  } catch (error) {
    await unlink(draft).catch(() => {});
    throw error;
  }
}

function latest(text: string): KeptReceipt[] {
  const lines = text.split('\n').slice(-KEPT_RECEIPTS - 1);
  return lines.flatMap((line) => {
    const receipt = readReceipt(line);
    if (!receipt) return [];
    const { at } = JSON.parse(line) as { at?: unknown };
    return [{ ...receipt, at: typeof at === 'string' ? at : '' }];
  });
}

async function pathOf({ network, realm, share }: ShareKey, env: NodeJS.ProcessEnv): Promise<string> {
  const { receipts } = await stateFolder(env);
  const which = realm === '' ? '' : `-${createHash('sha256').update(realm).digest('hex').slice(0, 16)}`;
  return join(receipts, `${share}.${network}${which}.jsonl`);
}
