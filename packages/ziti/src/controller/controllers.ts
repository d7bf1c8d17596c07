// Which controller to ask: the one that answered last, then the others in their order. Connection errors, timeouts and 5xx
// go on to the next (openziti/sdk-golang edge-apis/transport_pool.go); 429 and 503 are asked again after a pause when
// nobody else can answer.

import type { Clock } from '../clock.ts';
import { ZitiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Refusal } from './answers.ts';
import type { ControllerState } from './types.ts';
import { pause } from './waiting.ts';

export interface Controllers {
  readonly urls: readonly string[];
  /** More than one: an OIDC login holds on all of them, a legacy one does not. */
  readonly several: boolean;
  states(): readonly ControllerState[];
  /** Asks one after the other until one gives a result without trouble. The last result with trouble, if all have it. */
  inTurn<T>(attempt: (url: string) => Promise<T>, troubleOf: (result: T) => Refusal | undefined, how?: How): Promise<T>;
  /** The list of the network, each controller with its addresses; those of the identity file stay as a last resort. */
  learn(listed: readonly (readonly string[])[]): void;
}

interface How {
  /** Only this one: a legacy login lives on the controller that made it. */
  readonly only?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ControllersOptions {
  readonly clock: Clock;
  /** 0 <= x < 1. */
  readonly random: () => number;
  /** Upper bounds of the pauses when all are busy. */
  readonly busyPausesMs?: readonly number[];
}

const BUSY_PAUSES_MS = [500, 1000, 2000, 4000];
const MAX_PAUSE_MS = 10_000;
/** What another controller may do better. */
const TROUBLED: ReadonlySet<string> = new Set([
  'controller_unreachable',
  'controller_timeout',
  'controller_untrusted',
  'proxy_refused',
]);

/** 5xx and "too many requests"; undefined for every other answer. */
export function trouble(refusal: Refusal | undefined): Refusal | undefined {
  if (refusal === undefined) return undefined;
  return refusal.status === 429 || (refusal.status >= 500 && refusal.status < 600) ? refusal : undefined;
}

/** Nobody answered, or somebody else did. */
export function isTrouble(error: unknown): error is ZitiError {
  return error instanceof ZitiError && TROUBLED.has(error.code);
}

export function isBusy({ status }: Refusal): boolean {
  return status === 429 || status === 503;
}

export function createControllers(fromFile: readonly string[], options: ControllersOptions): Controllers {
  const { clock, random, busyPausesMs = BUSY_PAUSES_MS } = options;
  const health = new Map<string, { reachable: boolean; lastError: string | undefined }>();
  let urls = [...fromFile];
  let several = fromFile.length > 1;
  // Any of them: a thousand clients with the same file shall not all begin with the first.
  let current = urls[Math.floor(random() * urls.length)] ?? '';

  function candidates(only: string | undefined): string[] {
    if (only !== undefined) return [only];
    return [current, ...urls.filter((url) => url !== current)];
  }

  /** One round. Undefined: none of them answered at all, `failures` tells why. */
  async function round<T>(
    attempt: (url: string) => Promise<T>,
    troubleOf: (result: T) => Refusal | undefined,
    only: string | undefined,
    failures: ZitiError[],
  ): Promise<{ result: T; trouble: Refusal | undefined } | undefined> {
    let last: { result: T; trouble: Refusal | undefined } | undefined;
    for (const url of candidates(only)) {
      try {
        const result = await attempt(url);
        last = { result, trouble: troubleOf(result) };
        health.set(url, { reachable: true, lastError: last.trouble && `HTTP ${last.trouble.status}` });
        if (last.trouble !== undefined) continue;
        current = urls.includes(url) ? url : current;
        return last;
      } catch (error) {
        if (!isTrouble(error)) throw error;
        health.set(url, { reachable: false, lastError: error.message });
        failures.push(error);
      }
    }
    return last;
  }

  return {
    get urls() {
      return urls;
    },
    get several() {
      return several;
    },
    states: () => urls.map((url) => ({ url, reachable: undefined, lastError: undefined, ...health.get(url) })),
    async inTurn(attempt, troubleOf, { only, signal } = {}) {
      for (let rounds = 0; ; rounds++) {
        const failures: ZitiError[] = [];
        const last = await round(attempt, troubleOf, only, failures);
        if (last === undefined) throw summary(failures);
        const longest = busyPausesMs[rounds];
        if (last.trouble === undefined || !isBusy(last.trouble) || longest === undefined) return last.result;
        const asked = last.trouble.retryAfterMs ?? 0;
        await pause(clock, Math.min(MAX_PAUSE_MS, Math.max(asked, longest * (0.5 + random() / 2))), signal);
      }
    },
    learn(listed) {
      if (listed.length === 0) return;
      // Not the number of addresses: one controller may have two.
      several = listed.length > 1;
      urls = [...new Set([...listed.flat(), ...fromFile])].slice(0, LIMITS.controllers);
      if (!urls.includes(current)) current = urls[0] ?? current;
    },
  };
}

function summary(failures: readonly ZitiError[]): ZitiError {
  const [first, ...others] = failures;
  if (first === undefined) return new ZitiError('controller_unreachable', 'the identity names no controller');
  if (others.length === 0) return first;
  const code = others.every((other) => other.code === first.code) ? first.code : 'controller_unreachable';
  return new ZitiError(code, `no controller can be used: ${failures.map(({ message }) => message).join('; ')}`, {
    hint: first.hint,
    cause: first,
  });
}
