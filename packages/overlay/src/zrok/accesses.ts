// Accesses: on zrok an environment must be let in before it may dial, to its own shares too. One of ours for each share that
// this object dials, made with the first dial and removed at the end; it serves any number of connections. (Those of other
// programs would do, but go away with them.)

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { StateFolder } from '../home.ts';
import { type BoundSocket, bindSocket } from '../local/bind-socket.ts';
import type { OverlayLog } from '../log.ts';
import type { ZrokApi } from './api.ts';
import { PARTING_MS } from './limits.ts';
import type { Record, Records } from './records.ts';
import { bindAddressOf } from './sweep.ts';

export interface AccessesOptions {
  readonly api: ZrokApi;
  readonly envZId: string;
  readonly folder: StateFolder;
  readonly records: Records;
  readonly log: OverlayLog;
}

interface Access {
  readonly frontendToken: string;
  readonly record: Record;
}

/** A refusal made nothing; an answer that did not come may stand for something made, which is left to the sweep. */
const UNKNOWN_OUTCOME = new Set<unknown>(['network_unreachable', 'dial_aborted']);

export class Accesses {
  readonly #options: AccessesOptions;
  readonly #life = `${randomBytes(8).toString('hex')}.life`;
  readonly #byShare = new Map<string, Promise<Access>>();
  /** Asked for by dials that ran out of time: they may still be made. */
  readonly #late: [share: string, access: Promise<Access>][] = [];
  readonly #closing = new AbortController();
  #bound: Promise<BoundSocket> | undefined;

  constructor(options: AccessesOptions) {
    this.#options = options;
  }

  /** For a dial that comes soon: it is made, and nobody waits. What is wrong with it the dial will hear. */
  begin(share: string): Promise<unknown> {
    const made = this.ensure(share, this.#closing.signal);
    made.catch(() => {});
    return made;
  }

  /** Resolves with whether it was made now. Rejects `share_unknown`, `not_permitted`, and with the signal's reason. */
  async ensure(share: string, signal: AbortSignal): Promise<boolean> {
    const known = this.#byShare.get(share);
    const access = known ?? this.#make(share);
    if (!known) {
      this.#byShare.set(share, access);
      // A refusal is not kept: the next dial asks again.
      access.catch(() => this.#drop(share, access));
    }
    try {
      await waited(signal, access);
    } catch (error) {
      // Whoever dials next does not wait for an answer that did not come in time.
      if (signal.aborted && this.#drop(share, access)) this.#late.push([share, access]);
      throw error;
    }
    return !known;
  }

  /** It turned out to be worth nothing: its share was removed, or somebody removed it. */
  forget(share: string): void {
    const access = this.#byShare.get(share);
    this.#byShare.delete(share);
    if (access) void this.#remove(share, access);
  }

  /** Removes all. Never rejects; what cannot be removed in time, or is being made, is swept later. */
  async close(): Promise<void> {
    this.#closing.abort();
    const all = [...this.#byShare, ...this.#late.splice(0)];
    this.#byShare.clear();
    await Promise.all(all.map(([share, access]) => this.#remove(share, access)));
    await (await this.#bound)?.close();
  }

  #drop(share: string, access: Promise<Access>): boolean {
    return this.#byShare.get(share) === access && this.#byShare.delete(share);
  }

  async #make(share: string): Promise<Access> {
    const { api, envZId, folder, records } = this.#options;
    this.#bound ??= bindSocket(join(folder.run, this.#life), (socket) => socket.destroy());
    await this.#bound;
    const mark = randomBytes(10).toString('hex');
    const record = await records.add({ accessTo: share, mark }, this.#life);
    try {
      const { signal } = this.#closing;
      const frontendToken = await api.access({ envZId, token: share, bindAddress: bindAddressOf(mark) }, { signal });
      return { frontendToken, record };
    } catch (error) {
      if (!UNKNOWN_OUTCOME.has((error as { code?: unknown }).code)) await record.remove();
      throw error;
    }
  }

  async #remove(share: string, access: Promise<Access>): Promise<void> {
    const { api, envZId, log } = this.#options;
    try {
      const { frontendToken, record } = await access;
      await api.unaccess({ envZId, token: share, frontendToken }, { timeoutMs: PARTING_MS });
      await record.remove();
    } catch (error) {
      log.debug({ share, error: (error as Error).message }, 'an access was not removed');
    }
  }
}

/** The work goes on for others who wait for it. */
function waited<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
