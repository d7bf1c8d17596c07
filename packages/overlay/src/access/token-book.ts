// The tokens of one share, in the state folder: the key they are made with, what was made (never a token itself), and what
// was revoked. A running gateway and commands beside it read and write the same two files, so it works with or without
// one running. A share that is gone with its host keeps all of it in memory.

import type { KeyObject } from 'node:crypto';
import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { OverlayError } from '../errors.ts';
import { stateFolder } from '../home.ts';
import { ACCESS_LIMITS } from '../limits.ts';
import { locked, readStateFile, writeStateFile } from '../peers/state-file.ts';
import { markOf } from '../proof/mark.ts';
import type { Restriction } from '../proof/principal.ts';
import { isBlockId } from './block.ts';
import { keyFromPem, keyPem, newKey } from './keys.ts';
import { readRestriction } from './restriction.ts';

export interface TokenRecord {
  readonly id: string;
  readonly name: string;
  readonly roles?: readonly string[];
  readonly only?: Restriction;
  /** Public key of its holder; absent: a bearer. */
  readonly holder?: string;
  /** ISO times. */
  readonly minted: string;
  readonly until: string;
}

export interface Revocation {
  readonly id: string;
  /** ISO times; after `until` no token of this id can be good. */
  readonly at: string;
  readonly until: string;
}

export interface TokenBook {
  /** What tokens have to be signed with; undefined: none was ever made. */
  key(): Promise<KeyObject | undefined>;
  /** Makes one where there is none. */
  keyToMint(): Promise<KeyObject>;
  /** Latest first; those that are over are left out after a day. */
  list(): Promise<readonly TokenRecord[]>;
  keep(record: TokenRecord): Promise<void>;
  /** Also an id that nobody here made: of one that a holder narrowed. */
  revoke(id: string): Promise<Revocation>;
  revocations(): Promise<readonly Revocation[]>;
}

export interface TokenBookOptions {
  /** undefined: in memory. */
  readonly share: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** The key is kept elsewhere. Rejects where it cannot be had. */
  readonly keyFrom?: (() => Promise<KeyObject>) | undefined;
  readonly now?: () => number;
}

interface Contents {
  readonly tokens: readonly TokenRecord[];
  readonly revoked: readonly Revocation[];
}

const EMPTY: Contents = { tokens: [], revoked: [] };
/** What is over is still shown for so long. */
const SHOW_MS = 24 * 3600 * 1000;

export async function openTokenBook({ share, env, keyFrom, now = Date.now }: TokenBookOptions): Promise<TokenBook> {
  const folder = share === undefined ? undefined : await stateFolder(env);
  const base = folder && join(folder.tokens, encodeURIComponent(share ?? ''));
  const lock = folder && join(folder.run, 'tokens.lock');
  const alone = <T>(work: () => Promise<T>): Promise<T> => (lock === undefined ? work() : locked(lock, work));
  let contents = EMPTY;
  let seen = '';
  let made: KeyObject | undefined;
  let madeMark = '';

  const read = async (): Promise<Contents> => {
    if (base === undefined) return contents;
    const mark = await markOf(`${base}.json`);
    if (mark === seen) return contents;
    contents = (await readStateFile(`${base}.json`, parse)) ?? EMPTY;
    seen = mark;
    return contents;
  };
  const change = (by: (before: Contents) => Contents): Promise<void> =>
    alone(async () => {
      seen = '';
      const after = by(swept(await read(), now()));
      if (base !== undefined) await writeStateFile(`${base}.json`, { version: 1, ...after });
      contents = after;
      seen = '';
    });
  const key = async (): Promise<KeyObject | undefined> => {
    if (keyFrom) {
      made ??= await keyFrom();
      return made;
    }
    if (base === undefined) return made;
    const mark = await markOf(`${base}.pem`);
    if (mark === madeMark) return made;
    made = mark === 'none' ? undefined : keyFromPem(await textOf(`${base}.pem`), `${base}.pem`);
    madeMark = mark;
    return made;
  };
  return {
    key,
    keyToMint: () =>
      alone(async () => {
        const known = await key();
        if (known) return known;
        const fresh = newKey();
        if (base === undefined) made = fresh;
        else await writeNew(`${base}.pem`, keyPem(fresh));
        return fresh;
      }),
    list: async () => [...swept(await read(), now()).tokens].reverse(),
    keep: (record) => change((before) => ({ ...before, tokens: withRoom([...before.tokens, record]) })),
    revoke: async (id) => {
      if (!isBlockId(id))
        throw new OverlayError('access_malformed', `${JSON.stringify(id.slice(0, 60))} is no id of a token`);
      const at = new Date(now()).toISOString();
      const ends = new Date(now() + ACCESS_LIMITS.ttlMaxMs).toISOString();
      let kept: Revocation = { id, at, until: ends };
      await change((before) => {
        const known = before.revoked.find((one) => one.id === id);
        kept = known ?? { ...kept, until: before.tokens.find((one) => one.id === id)?.until ?? ends };
        return known ? before : { ...before, revoked: withRoom([...before.revoked, kept]) };
      });
      return kept;
    },
    revocations: async () => (await read()).revoked,
  };
}

/** A share that is deleted leaves no token behind for one that is made later under its name. */
export async function forgetTokens(share: string, env: NodeJS.ProcessEnv): Promise<void> {
  const { tokens } = await stateFolder(env);
  const base = join(tokens, encodeURIComponent(share));
  for (const file of [`${base}.json`, `${base}.pem`]) {
    await unlink(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }
}

function swept({ tokens, revoked }: Contents, now: number): Contents {
  const over = new Date(now - SHOW_MS).toISOString();
  return { tokens: tokens.filter(({ until }) => until > over), revoked: revoked.filter(({ until }) => until > over) };
}

/** Nothing that is in force is forgotten to make room: a revoked one would be good again. */
function withRoom<T>(entries: readonly T[]): readonly T[] {
  if (entries.length <= ACCESS_LIMITS.records) return entries;
  throw new OverlayError(
    'state_file_invalid',
    `${ACCESS_LIMITS.records} tokens of this share are in force or revoked, which is the most`,
    {
      hint: 'take a new key: remove the .pem and .json of the share in the folder tokens of the state folder; every token of it is void then',
    },
  );
}

async function textOf(path: string): Promise<string> {
  await using handle = await open(path, 'r');
  return handle.readFile('latin1');
}

async function writeNew(path: string, text: string): Promise<void> {
  await using handle = await open(path, 'wx', 0o600);
  await handle.writeFile(text);
  await handle.sync();
}

function parse(value: unknown): Contents | undefined {
  const { version, tokens, revoked } = (value ?? {}) as { version?: unknown; tokens?: unknown; revoked?: unknown };
  if (version !== 1 || !Array.isArray(tokens) || !Array.isArray(revoked)) return undefined;
  return tokens.every(isRecord) && revoked.every(isRevocation) ? { tokens, revoked } : undefined;
}

function isRecord(value: unknown): value is TokenRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { id, name, minted, until, holder = '', roles = [], only = {} } = value as Record<string, unknown>;
  if (![id, name, minted, until, holder].every((one) => typeof one === 'string')) return false;
  try {
    readRestriction(only);
    readRestriction({ roles });
    return true;
  } catch {
    return false;
  }
}

function isRevocation(value: unknown): value is Revocation {
  if (typeof value !== 'object' || value === null) return false;
  const { id, at, until } = value as Record<string, unknown>;
  return [id, at, until].every((one) => typeof one === 'string');
}
