// Whether those who are in may stay: what let each of them in is judged again when it may have changed, a few times a
// second. A certificate that is revoked or over, a CA that is gone, a token that is revoked or over end their live sessions,
// also those whose connection is broken at the time, within a second.
// Files are looked at, not waited for: a folder on another machine tells nobody of changes.

import { OverlayError } from '../errors.ts';
import type { TrustBundle } from '../proof/trust.ts';

/** What somebody was let in with. */
export interface Evidence {
  /** Once the trusted CAs have changed. Throws an OverlayError that says why it stands no more. */
  againIn?(trusted: readonly TrustBundle[]): void;
  /** Each time. Rejects likewise. */
  again?(now: number): Promise<void>;
}

export interface Standing {
  /** `end` is called once, with why. Returns how to stop. */
  watch(evidence: () => Evidence | undefined, end: (error: OverlayError) => void): () => void;
  /** Now; resolves when everybody was judged. */
  check(): Promise<void>;
}

export interface StandingOptions {
  trust(): Promise<readonly TrustBundle[]>;
  readonly now: () => number;
  readonly log: { warn(fields: object, event: string): void };
}

/** Twice within the second in which somebody has to be out. */
const LOOK_MS = 400;

interface Watched {
  readonly evidence: () => Evidence | undefined;
  readonly end: (error: OverlayError) => void;
  judged: Evidence | undefined;
}

export function watchStanding({ trust, now, log }: StandingOptions): Standing {
  const all = new Set<Watched>();
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> = Promise.resolve();
  let before: readonly TrustBundle[] = [];

  const look = async (): Promise<void> => {
    const trusted = await trust();
    const changed = trusted.length !== before.length || trusted.some((bundle, at) => bundle !== before[at]);
    before = trusted;
    for (const one of [...all]) {
      const evidence = one.evidence();
      try {
        // Whoever came since the last look may have been judged by what was believed before.
        if (changed || one.judged !== evidence) evidence?.againIn?.(trusted);
        one.judged = evidence;
        await evidence?.again?.(now());
      } catch (error) {
        // What cannot be looked at ends nobody's work: a file that is being written, a server that is away.
        if (!(error instanceof OverlayError) || TROUBLE.has(error.code))
          log.warn({ error: String(error) }, 'caller cannot be judged again');
        else if (all.delete(one)) one.end(error);
      }
    }
  };
  const check = (): Promise<void> => {
    looking = looking.then(look).catch((error: unknown) => {
      log.warn({ error: String(error) }, 'callers cannot be judged again');
    });
    return looking;
  };
  const sleep = (): void => {
    if (all.size > 0) return;
    clearTimeout(timer);
    timer = undefined;
  };
  const wake = (): void => {
    timer ??= setTimeout(() => {
      void check().then(() => {
        timer = undefined;
        if (all.size > 0) wake();
      });
    }, LOOK_MS).unref();
  };
  return {
    watch: (evidence, end) => {
      const one: Watched = { evidence, end, judged: undefined };
      all.add(one);
      wake();
      return () => {
        all.delete(one);
        sleep();
      };
    },
    check,
  };
}

const TROUBLE: ReadonlySet<string> = new Set(['state_file_invalid', 'jwt_keys_unavailable', 'overlay_unavailable']);
