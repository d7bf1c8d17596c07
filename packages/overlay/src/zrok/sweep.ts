// Removes from a zrok controller what dead programs of this user left there. Failing is no drama: what is left stays on
// record for the next who looks.

import type { OverlayLog } from '../log.ts';
import type { CallOptions, ZrokAccess, ZrokApi } from './api.ts';
import type { Record, Records } from './records.ts';

export interface SweepOptions extends CallOptions {
  readonly api: ZrokApi;
  readonly envZId: string;
  readonly records: Records;
  readonly log: OverlayLog;
}

export async function sweep(options: SweepOptions): Promise<void> {
  const dead = await options.records.dead();
  if (dead.length === 0) return;
  let accesses: Promise<ZrokAccess[]> | undefined;
  const listed = (): Promise<ZrokAccess[]> => {
    accesses ??= options.api.accesses(options.envZId, callOf(options));
    return accesses;
  };
  // Accesses first: those of a removed share are shown to nobody. One after the other: the controller would queue them anyway.
  const order = [...dead].sort((a, b) => Number('share' in a.made) - Number('share' in b.made));
  for (const record of order) await sweepOne(record, listed, options);
}

async function sweepOne(record: Record, listed: () => Promise<ZrokAccess[]>, options: SweepOptions): Promise<void> {
  const { api, envZId, log } = options;
  const { made } = record;
  try {
    if ('share' in made) {
      await api.unshare(envZId, made.share, callOf(options));
      log.info({ share: made.share }, 'removed the share of a dead program');
    } else {
      const left = (await listed()).filter(({ bindAddress }) => bindAddress === bindAddressOf(made.mark));
      for (const { frontendToken } of left) {
        await api.unaccess({ envZId, token: made.accessTo, frontendToken }, callOf(options));
        log.info({ share: made.accessTo }, 'removed the access of a dead program');
      }
    }
    await record.remove();
  } catch (error) {
    log.warn(
      { made, error: (error as Error).message },
      'what a dead program left could not be removed; the next start tries again',
    );
  }
}

/** The free text by which an access of ours is known again. */
export function bindAddressOf(mark: string): string {
  return `mcp-overlay:${mark}`;
}

function callOf({ signal, timeoutMs }: CallOptions): CallOptions {
  return { ...(signal === undefined ? {} : { signal }), ...(timeoutMs === undefined ? {} : { timeoutMs }) };
}
