// Keys that evolve (forward security, as journald's sealing has it): the key of a segment is made from that of the one
// before, which is destroyed. So who takes over the machine can forge what comes, not what was. The first key never stays:
// it is shown once to the operator, who can check everything with it.
//   BASE/first-<kid>        waits for the next log that begins, or goes on
//   LOG/evolving-<kid>      key of one segment, and where the chain was when it became the key

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { ChainState } from './chain.ts';
import { AuditError } from './errors.ts';
import { type AuditFiles, readWhole, writeWhole } from './files.ts';
import { type ArgumentKeys, commitment, evolve, type KeyRing, keyId } from './keys.ts';
import { type MacKey, macKey } from './line-hash.ts';
import { Tree } from './merkle.ts';
import type { WritingKeys } from './writing-keys.ts';

const FIRST = /^first-(e[0-9a-f]{16})$/;
const EVOLVING = /^evolving-(e[0-9a-f]{16})$/;
const MAX_BYTES = 16 * 1024;

/** What a file holds. */
export interface EvolvedKey {
  readonly kid: string;
  readonly seg: number;
  readonly secret: Uint8Array;
  /** Before `seg` began. */
  readonly before: ChainState | undefined;
}

/** A first key for the next log in this folder. Hex: for the operator, once. */
export async function makeFirstKey(
  base: string,
  files: AuditFiles,
): Promise<{ readonly kid: string; readonly key: string }> {
  const key = randomBytes(32).toString('hex');
  // As a key in a file is read: its characters.
  const kid = keyId(Buffer.from(key), 'e');
  await writeWhole(files, join(base, `first-${kid}`), `${key}\n`);
  return { kid, key };
}

/** Moves a key that waits in the folder of logs into that of one. `known`: what is there already. */
export async function takeFirstKey(
  base: string,
  folder: string,
  known: readonly EvolvedKey[],
  files: AuditFiles,
): Promise<readonly EvolvedKey[]> {
  const name = (await files.list(base)).find((one) => FIRST.test(one));
  if (name === undefined) return known;
  const secret = Buffer.from(String(await readWhole(files, join(base, name), MAX_BYTES)).trim());
  const taken = { kid: keyId(secret, 'e'), seg: 1, secret, before: undefined };
  // Killed in between, it is there twice.
  const twice = known.some(({ kid }) => kid === taken.kid);
  if (!twice) await store(folder, taken, files);
  await files.unlink(join(base, name));
  return twice ? known : [...known, taken];
}

/** Those of a log: more than one only if it was stopped while it changed keys. */
export async function evolvedKeys(folder: string, files: AuditFiles): Promise<EvolvedKey[]> {
  const names = (await files.list(folder)).filter((name) => EVOLVING.test(name));
  return Promise.all(
    names.map(async (name) => {
      const text = String(await readWhole(files, join(folder, name), MAX_BYTES));
      return parse(text) ?? broken(join(folder, name));
    }),
  );
}

export async function forgetEvolved(folder: string, kid: string, files: AuditFiles): Promise<void> {
  await files.unlink(join(folder, `evolving-${kid}`));
  await files.syncFolder(folder);
}

export class EvolvingKeys implements WritingKeys {
  readonly kid: string;
  readonly args: ArgumentKeys;
  readonly #folder: string;
  readonly #files: AuditFiles;
  /** What this process can still check. */
  readonly #ring: KeyRing;
  #at: EvolvedKey;
  #mac: MacKey;

  constructor(at: EvolvedKey, args: ArgumentKeys, ring: KeyRing, folder: string, files: AuditFiles) {
    this.kid = at.kid;
    this.args = args;
    this.#at = at;
    this.#mac = macKey(at.secret);
    this.#ring = ring;
    this.#folder = folder;
    this.#files = files;
    ring.hold(at);
  }

  get mac(): MacKey {
    return this.#mac;
  }

  commitment(log: string, seq: number): string {
    return commitment(this.#at.secret, log, seq);
  }

  async readyFor(seg: number, before: ChainState): Promise<void> {
    if (this.#at.seg >= seg) return;
    let { secret } = this.#at;
    for (let at = this.#at.seg; at < seg; at += 1) {
      const next = evolve(secret, at);
      if (secret !== this.#at.secret) secret.fill(0);
      secret = next;
    }
    // The one to go on from, if this key begins a segment.
    const next = { kid: this.kid, seg, secret, before: before.seg === seg - 1 ? before : undefined };
    await store(this.#folder, next, this.#files);
    this.#at.secret.fill(0);
    this.#mac.inner.fill(0);
    this.#mac.outer.fill(0);
    this.#at = next;
    this.#mac = macKey(secret);
    this.#ring.hold(next);
  }
}

function store(folder: string, { kid, seg, secret, before }: EvolvedKey, files: AuditFiles): Promise<void> {
  const chain = before && {
    seg: before.seg,
    seq: before.seq,
    hash: before.hash,
    peaks: before.tree.peaks.map((peak) => peak.toString('hex')),
  };
  const value = {
    kid,
    seg,
    key: Buffer.from(secret).toString('hex'),
    ...(chain === undefined ? {} : { before: chain }),
  };
  return writeWhole(files, join(folder, `evolving-${kid}`), `${JSON.stringify(value)}\n`);
}

function parse(text: string): EvolvedKey | undefined {
  try {
    const { kid, seg, key, before } = JSON.parse(text) as {
      kid: string;
      seg: number;
      key: string;
      before?: { seg: number; seq: number; hash: string; peaks: string[] };
    };
    const tree =
      before &&
      new Tree(
        before.seq,
        before.peaks.map((peak) => Buffer.from(peak, 'hex')),
      );
    const secret = Buffer.from(key, 'hex');
    if (secret.length < 32 || !Number.isSafeInteger(seg)) return undefined;
    return {
      kid,
      seg,
      secret,
      before: before && tree && { seg: before.seg, seq: before.seq, hash: before.hash, tree },
    };
  } catch {
    return undefined;
  }
}

function broken(path: string): never {
  throw new AuditError('audit_key_invalid', `${path} is broken`, {
    hint: 'restore it, or begin another log: mcp-gateway audit key, then mcp-gateway run --accept-broken',
  });
}
