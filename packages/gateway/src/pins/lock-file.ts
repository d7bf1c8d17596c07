// The lock file beside a configuration: a line of JSON for each pin, sorted, so that a change of one tool is a change of one
// line in git. Reading is linear and checks each hash; writing replaces the file whole, or not at all.

import { open, rename, rm } from 'node:fs/promises';
import { changeableBy } from '@mcp-overlay/config';
import { parseExact } from '@mcp-overlay/relay';
import { asObject, asString } from '../call/json.ts';
import { definitionOf } from './definition.ts';
import { PinError } from './errors.ts';
import type { Pin } from './pin-book.ts';

const HEAD = '{"format":"mcp-gateway.lock/v1"}';
/** 10,000 definitions of 6 KiB; a file that is larger is not one of ours. */
export const MAX_LOCK_BYTES = 64 * 1024 * 1024;
const RESTORE = 'take it back from version control, or remove it: then all is seen for the first time';

/** No file: no pins. Rejects with a PinError. */
export async function readLockFile(path: string): Promise<readonly Pin[]> {
  const text = await readWhole(path);
  return text === undefined ? [] : decodeLock(text, path);
}

/** Rejects `lock_unwritable`; the file is then what it was. */
export async function writeLockFile(path: string, pins: readonly Pin[]): Promise<void> {
  const draft = `${path}.${process.pid}.new`;
  try {
    {
      await using handle = await open(draft, 'wx', 0o644);
      await handle.writeFile(encodeLock(pins));
      await handle.sync();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => {});
    const { code } = error as NodeJS.ErrnoException;
    throw new PinError(
      'lock_unwritable',
      `the lock file ${path} cannot be written (${code})`,
      'pins are kept beside the configuration',
    );
  }
}

export function encodeLock(pins: readonly Pin[]): string {
  const lines = [...pins]
    .sort((a, b) => compare(a.backend, b.backend) || compare(a.list, b.list) || compare(a.name, b.name))
    .map(({ backend, list, name, state, at, by, hash, text }) => {
      const head = JSON.stringify({ backend, list, name, state, at, by, hash }).slice(0, -1);
      return `${head},"definition":${text}}`;
    });
  return `${[HEAD, ...lines].join('\n')}\n`;
}

/** Throws `lock_invalid` with the line: nothing of a broken file is believed. */
export function decodeLock(text: string, path: string): readonly Pin[] {
  const [head, ...lines] = text.split('\n');
  if (head !== HEAD) throw invalid(path, 1, 'is no lock file of this version');
  if (lines.pop() !== '') throw invalid(path, lines.length + 2, 'is cut off');
  const seen = new Set<string>();
  return lines.map((line, at) => {
    const pin = pinOf(line);
    if (typeof pin === 'string') throw invalid(path, at + 2, pin);
    const key = JSON.stringify([pin.backend, pin.list, pin.name]);
    if (seen.has(key))
      throw invalid(path, at + 2, `has ${pin.list} ${JSON.stringify(pin.name)} of ${pin.backend} twice`);
    seen.add(key);
    return pin;
  });
}

function pinOf(line: string): Pin | string {
  let value: unknown;
  try {
    value = parseExact(line);
  } catch {
    return 'is no JSON';
  }
  const { backend, list, name, state, at, by, hash, definition } = asObject(value) ?? {};
  const item = asObject(definition);
  const texts = [backend, list, name, at, by, hash].map(asString);
  if (texts.includes(undefined) || item === undefined || (state !== 'approved' && state !== 'denied')) {
    return 'lacks a member, or has one of another kind';
  }
  const made = definitionOf(item);
  if (made.hash !== hash) return 'has a definition that is not the one of its hash: it was edited by hand';
  const [backendText = '', listText = '', nameText = '', atText = '', byText = ''] = texts as string[];
  return { backend: backendText, list: listText, name: nameText, state, at: atText, by: byText, ...made };
}

async function readWhole(path: string): Promise<string | undefined> {
  const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new PinError('lock_invalid', `the lock file ${path} cannot be read (${error.code})`);
  });
  if (handle === undefined) return undefined;
  await using file = handle;
  const stats = await file.stat();
  if (!stats.isFile() || stats.size > MAX_LOCK_BYTES) {
    throw new PinError('lock_invalid', `the lock file ${path} is no file of at most ${MAX_LOCK_BYTES} bytes`);
  }
  if (changeableBy(stats) === 'everybody') {
    throw new PinError(
      'lock_open_to_others',
      `everybody on this machine may change the lock file ${path}`,
      `chmod o-w ${path}`,
    );
  }
  return file.readFile('utf8');
}

function invalid(path: string, line: number, what: string): PinError {
  return new PinError('lock_invalid', `${path}:${line}: ${what}`, RESTORE);
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
