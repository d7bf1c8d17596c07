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

export class Accesses {
  readonly #options: AccessesOptions;
  readonly #life = `${randomBytes(8).toString('hex')}.life`;
  readonly #byShare = new Map<string, Promise<Access>>();
  #bound: Promise<BoundSocket> | undefined;

  constructor(options: AccessesOptions) {
    this.#options = options;
  }

  /** Resolves with whether it was made now. Rejects `share_unknown`, `not_permitted`. */
  async ensure(share: string): Promise<boolean> {
    const known = this.#byShare.get(share);
    if (known) {
      await known;
      return false;
    }
    const making = this.#make(share);
    this.#byShare.set(share, making);
    // A refusal is not kept: the next dial asks again.
    making.catch(() => {
      if (this.#byShare.get(share) === making) this.#byShare.delete(share);
    });
    await making;
    return true;
  }

  /** It turned out to be worth nothing: its share was removed, or somebody removed it. */
  forget(share: string): void {
    const access = this.#byShare.get(share);
    this.#byShare.delete(share);
    if (access) void this.#remove(share, access);
  }

  /** Removes all. Never rejects; what cannot be removed in time is swept later. */
  async close(): Promise<void> {
    const all = [...this.#byShare];
    this.#byShare.clear();
    await Promise.all(all.map(([share, access]) => this.#remove(share, access)));
    await (await this.#bound)?.close();
  }

  async #make(share: string): Promise<Access> {
    const { api, envZId, folder, records } = this.#options;
    this.#bound ??= bindSocket(join(folder.run, this.#life), (socket) => socket.destroy());
    await this.#bound;
    const mark = randomBytes(10).toString('hex');
    const record = await records.add({ accessTo: share, mark }, this.#life);
    try {
      const frontendToken = await api.access({ envZId, token: share, bindAddress: bindAddressOf(mark) });
      return { frontendToken, record };
    } catch (error) {
      // A refusal made nothing; an answer that did not come may have, and is left to the sweep.
      if ((error as { code?: unknown }).code !== 'network_unreachable') await record.remove();
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
