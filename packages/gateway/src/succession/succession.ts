// How a gateway ends while its share lives on: it drains, and a successor on the same machine takes its place. The two agree
// over the admin socket (../admin/hand-over.ts); until the successor has the share, nothing has changed here.

import type { Yielding } from '@mcp-overlay/overlay';
import type { HealthRecord } from '../backend/health.ts';
import type { GatewayLog } from '../call/log.ts';
import type { Shares } from '../shares.ts';
import { Departure, type LeaveOptions } from './departure.ts';
import { SuccessionError } from './errors.ts';

export interface Succession {
  /** undefined: it stays. */
  departure(): Departure | undefined;
  /** Resolves when the last session is gone or the time is up, with the number of calls still open. */
  readonly left: Promise<number>;
  /** Takes no new sessions, lets open calls finish. Again: an earlier end counts. */
  drain(options: LeaveOptions): Promise<Departure>;
  /** Throws `successor_waits` while another one is being waited for. */
  offer(): Promise<Offer>;
  /** Throws `successor_waits` while there is one: it has read already what this order would change. */
  refuseOrders(): void;
}

/** To one successor. */
export interface Offer {
  /** Backends that answer here: the successor's should too. */
  readonly up: readonly string[];
  /** Tokens of the shares that it may take. */
  readonly shares: readonly string[];
  /** It came to nothing. */
  takeBack(): Promise<void>;
  /** The successor has the share: what comes from here on goes there. */
  taken(options: LeaveOptions): Promise<Departure>;
}

export interface SuccessionOptions {
  readonly share: Pick<Shares, 'each' | 'leave' | 'sessions' | 'yield' | 'withdraw' | 'token'>;
  backends(): readonly { readonly backend: { readonly id: string }; readonly health: HealthRecord }[];
  readonly log: GatewayLog;
  /** Puts it on record. */
  record(what: string, target: string): Promise<void>;
  /** Writes what is only in memory, for the successor to read. */
  flush(): Promise<void>;
  /** From here on the successor writes. */
  stopWriting(): void;
}

export function successionOf({ share, backends, log, record, ...state }: SuccessionOptions): Succession {
  let departure: Departure | undefined;
  let offered: Yielding | undefined;
  let tellLeft: (open: number) => void = () => {};
  const left = new Promise<number>((resolve) => {
    tellLeft = resolve;
  });
  const leave = async (options: LeaveOptions): Promise<Departure> => {
    if (departure) {
      departure.hurry(options);
      return departure;
    }
    const begun = new Departure(share, options);
    departure = begun;
    const { until, open } = begun.status();
    const { successor, unanswering } = options;
    log.info({ until, successor, open: open.length, unanswering }, 'leaving');
    begun.gone.then(
      (cut) => {
        log.info({ cut }, 'left');
        tellLeft(cut);
      },
      (error: unknown) => {
        // It has left all the same: what is still open goes with the process.
        log.warn({ error: String(error) }, 'left, not in order');
        tellLeft(begun.open().length);
      },
    );
    return begun;
  };
  return {
    departure: () => departure,
    left,
    drain: async (options) => {
      const drained = await leave(options);
      await record('drain', share.token).catch(() => {});
      return drained;
    },
    refuseOrders: () => {
      if (offered && !departure) throw waits(share.token);
    },
    offer: async () => {
      if (offered) throw waits(share.token);
      const yielding = share.yield();
      offered = yielding;
      let settled = false;
      try {
        await state.flush();
      } catch (error) {
        offered = undefined;
        await yielding.takeBack();
        throw error;
      }
      return {
        shares: share.each().map(({ token }) => token),
        up: backends()
          .filter(({ health }) => health.get().state === 'up')
          .map(({ backend }) => backend.id),
        takeBack: async () => {
          if (settled) return;
          settled = true;
          offered = undefined;
          await yielding.takeBack();
          log.warn({ share: share.token }, 'the successor came to nothing');
        },
        taken: async (options) => {
          settled = true;
          const begun = await leave(options);
          try {
            await state.flush();
          } catch (error) {
            log.warn({ error: String(error) }, 'the successor does not know all of the last moments');
          }
          state.stopWriting();
          await share.withdraw();
          await record('hand over', `${share.token} to process ${options.successor ?? 'unknown'}`).catch(() => {});
          return begun;
        },
      };
    },
  };
}

function waits(token: string): SuccessionError {
  return new SuccessionError(
    'successor_waits',
    `another process is just taking over share ${token}; ask again in a moment`,
  );
}
