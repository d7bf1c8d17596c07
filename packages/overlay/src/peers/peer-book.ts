// Who came to a share, and what its operator decided of them. Kept in the state folder for a share that keeps its token.
// Strangers fill it, so it is bounded: what nobody decided on goes first, and unproven callers before proven ones.

import { unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { OverlayError } from '../errors.ts';
import { stateFolder } from '../home.ts';
import { FILE_LIMITS } from '../limits.ts';
import { UNPROVEN } from '../proof/principal.ts';
import type { Decision } from './admission.ts';
import { readStateFile, writeStateFile } from './state-file.ts';

export interface PeerRecord {
  readonly id: string;
  /** Given by the operator. */
  readonly name?: string;
  /** What the network says it is called: a claim. */
  readonly claimed?: string;
  readonly decision?: Decision;
  /** Of the rules, besides those that the configuration gives it. */
  readonly role?: string;
  /** What became of it the last time; absent: it never came. */
  readonly outcome?: string;
  /** ISO times. */
  readonly firstSeen?: string;
  readonly lastSeen?: string;
}

export interface Seen {
  readonly id: string;
  readonly claimed?: string | undefined;
  /** `owner`, `granted`, `allowed`, or why it was refused. */
  readonly outcome: string;
}

export interface PeerBook {
  /** Latest first. */
  list(): readonly PeerRecord[];
  get(id: string): PeerRecord | undefined;
  saw(seen: Seen): void;
  /** Rejects when it cannot be kept. */
  decide(
    id: string,
    decision: Decision,
    more?: { name?: string | undefined; role?: string | undefined },
  ): Promise<void>;
  /** Writes what is not written yet. */
  flush(): Promise<void>;
  /** Another process has the share: from here on nothing is written. */
  stopWriting(): void;
  /** Writes what is not written yet. */
  close(): Promise<void>;
}

/** What is only seen is written this much later, all at once. */
const WRITE_MS = 1000;
const CLAIM_CHARS = 200;

export interface PeerBookOptions {
  /** undefined: only in memory, for a share that is gone with its host. */
  readonly share: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly log: { warn(fields: object, event: string): void };
  readonly now?: () => number;
}

export async function openPeerBook({ share, env, log, now = Date.now }: PeerBookOptions): Promise<PeerBook> {
  const path = share === undefined ? undefined : await pathOf(share, env);
  const records = new Map((path === undefined ? undefined : await readStateFile(path, parse)) ?? []);
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();
  let others = false;
  /** What the last write should have kept is not there. */
  let unwritten = false;

  const write = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    if (path === undefined || others) return Promise.resolve();
    const before = writing.catch(() => {});
    writing = before.then(async () => {
      unwritten = true;
      await writeStateFile(path, { version: 1, peers: [...records.values()] });
      unwritten = false;
    });
    return writing;
  };
  const writeSoon = (): void => {
    timer ??= setTimeout(() => {
      write().catch((error: unknown) => log.warn({ error: String(error) }, 'peers cannot be written'));
    }, WRITE_MS).unref();
  };
  const flush = async (): Promise<void> => {
    if (timer !== undefined || unwritten) await write();
    await writing;
  };
  return {
    list: () => [...records.values()].sort((a, b) => (b.lastSeen ?? '').localeCompare(a.lastSeen ?? '')),
    get: (id) => records.get(id),
    saw: ({ id, claimed: claim, outcome }) => {
      const claimed = claim?.slice(0, CLAIM_CHARS);
      const key = keyOf(id, claimed);
      const at = new Date(now()).toISOString();
      const before = records.get(key);
      const claims = claimed === undefined ? {} : { claimed };
      // The map's order is that of the last visit.
      records.delete(key);
      records.set(key, { ...before, id, ...claims, outcome, firstSeen: before?.firstSeen ?? at, lastSeen: at });
      makeRoom(records);
      writeSoon();
    },
    decide: async (id, decision, { name, role } = {}) => {
      const { name: oldName, role: oldRole, ...before } = records.get(id) ?? { id };
      const decided = [...records.values()].filter((record) => record.decision !== undefined).length;
      if (before.decision === undefined && decided >= FILE_LIMITS.decidedPeers) {
        throw new OverlayError(
          'state_file_invalid',
          `${decided} peers of this share were decided on, which is the most`,
          {
            hint: 'remove old ones from the file of the share in the state folder',
          },
        );
      }
      const kept = { name: name ?? oldName, role: decision === 'allowed' ? (role ?? oldRole) : undefined };
      records.set(id, { ...before, ...defined(kept), decision });
      await write();
    },
    flush,
    stopWriting: () => {
      others = true;
    },
    close: flush,
  };
}

/** A share that is deleted leaves nobody let in behind for one that is made later under its name. */
export async function forgetPeers(share: string, env: NodeJS.ProcessEnv): Promise<void> {
  await unlink(await pathOf(share, env)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

async function pathOf(share: string, env: NodeJS.ProcessEnv): Promise<string> {
  const { peers } = await stateFolder(env);
  return join(peers, `${encodeURIComponent(share)}.json`);
}

/** Unproven callers are told apart by what they claim, for the eye only. */
function keyOf(id: string, claimed: string | undefined): string {
  return id === UNPROVEN && claimed !== undefined ? `${UNPROVEN}\n${claimed}` : id;
}

function makeRoom(records: Map<string, PeerRecord>): void {
  const undecided = [...records].filter(([, { decision }]) => decision === undefined);
  if (undecided.length <= FILE_LIMITS.undecidedPeers) return;
  const [oldest] = undecided;
  const [key] = undecided.find(([, { id }]) => id === UNPROVEN) ?? oldest ?? [];
  if (key !== undefined) records.delete(key);
}

function defined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as never;
}

function parse(value: unknown): [string, PeerRecord][] | undefined {
  const { version, peers } = (value ?? {}) as { version?: unknown; peers?: unknown };
  if (version !== 1 || !Array.isArray(peers) || !peers.every(isRecord)) return undefined;
  return peers.map((record) => [keyOf(record.id, record.claimed), record]);
}

function isRecord(value: unknown): value is PeerRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { id, decision, ...rest } = value as Record<string, unknown>;
  const texts = Object.values(rest).every((one) => typeof one === 'string');
  return typeof id === 'string' && texts && (decision === undefined || decision === 'allowed' || decision === 'denied');
}
