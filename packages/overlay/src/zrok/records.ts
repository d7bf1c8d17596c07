// What this user's running programs have made on a zrok network and will remove when they end: ephemeral shares and accesses.
// A record is written before the thing is made and names a socket that is alive exactly as long as its program; when that is
// dead, anybody of this user removes the thing and then the record. Process ids are for people: they are used again.

import { readdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StateFolder } from '../home.ts';
import { sweepSocket } from '../local/bind-socket.ts';
import { isAlive } from '../local/connect-socket.ts';
import { isShareToken } from '../share-token.ts';
import { digest } from '../ziti/host-lock.ts';
import type { ZrokEnvironment } from './environment.ts';

/** `mark`: what tells the access from others of the same share; written on it. */
export type Made = { readonly share: string } | { readonly accessTo: string; readonly mark: string };

export interface Record {
  readonly made: Made;
  /** In `run/`. */
  readonly life: string;
  remove(): Promise<void>;
}

const LIFE = /^[a-z0-9-]+\.(host|life)$/;
const MARK = /^[a-z0-9]{1,64}$/;

export class Records {
  readonly #folder: StateFolder;
  readonly #prefix: string;

  constructor(folder: StateFolder, { apiEndpoint, envZId }: Pick<ZrokEnvironment, 'apiEndpoint' | 'envZId'>) {
    this.#folder = folder;
    this.#prefix = `${digest(['zrok', apiEndpoint, envZId])}-`;
  }

  async add(made: Made, life: string): Promise<Record> {
    const path = join(this.#folder.records, `${this.#prefix}${'share' in made ? made.share : made.mark}.json`);
    const about = { ...made, life, pid: process.pid, startedAt: new Date(Date.now() - process.uptime() * 1000) };
    await writeFile(path, `${JSON.stringify(about)}\n`, { mode: 0o600, flag: 'wx' });
    return { made, life, remove: () => forget(path) };
  }

  /** Those of dead programs. */
  async dead(): Promise<Record[]> {
    const names = (await readdir(this.#folder.records)).filter((name) => name.startsWith(this.#prefix));
    const found = await Promise.all(names.map((name) => this.#readDead(join(this.#folder.records, name))));
    return found.filter((record) => record !== undefined);
  }

  /** Of an environment that is no more. */
  async removeAll(): Promise<void> {
    const names = (await readdir(this.#folder.records)).filter((name) => name.startsWith(this.#prefix));
    await Promise.all(names.map((name) => forget(join(this.#folder.records, name))));
  }

  async #readDead(path: string): Promise<Record | undefined> {
    const parsed = parse(await readFile(path, 'utf8').catch(() => ''));
    // Half a record is one that is being written, or was left by a kill before anything was made.
    if (!parsed) return undefined;
    const socket = join(this.#folder.run, parsed.life);
    if (await isAlive(socket)) return undefined;
    const remove = async (): Promise<void> => {
      await forget(path);
      // No other record's thing is gone with it: a host's socket has one share, a program's may be asked for again.
      await sweepSocket(socket);
    };
    return { ...parsed, remove };
  }
}

function parse(text: string): { made: Made; life: string } | undefined {
  try {
    const { share, accessTo, mark, life } = JSON.parse(text) as { [name: string]: unknown };
    if (typeof life !== 'string' || !LIFE.test(life)) return undefined;
    if (typeof share === 'string' && isShareToken(share)) return { made: { share }, life };
    if (typeof accessTo !== 'string' || !isShareToken(accessTo)) return undefined;
    return typeof mark === 'string' && MARK.test(mark) ? { made: { accessTo, mark }, life } : undefined;
  } catch {
    return undefined;
  }
}

async function forget(path: string): Promise<void> {
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}
