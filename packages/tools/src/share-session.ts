// The agent's end of a share: a session that survives lost networks and restarted gateways (relay/steady over a link).
// Until it was up once, a share that does not exist fails at once and one that is not hosted after 20 s; from then on it
// is dialled again as long as the agent lives.

import { randomBytes } from 'node:crypto';
import { SecretError } from '@mcp-overlay/config';
import {
  ACCESS_ERROR_CODES,
  type AccessSource,
  IDENTITY_ERROR_CODES,
  type Overlay,
  OverlayError,
  shareGuard,
  shareKey,
} from '@mcp-overlay/overlay';
import {
  createBackoff,
  dialShare,
  RelayError,
  SteadySession,
  type SteadyState,
  type Transport,
} from '@mcp-overlay/relay';
import { receiptKeeper } from './receipts/keeper.ts';
import { tapReceipts } from './receipts/tap.ts';

/** How long a share may be out of reach before the first session. */
const FIRST_TRY_MS = 20_000;
/** Until then a host that is being started is looked for this often. */
const FIRST_PAUSE_MS = 1000;
/** How long a request waits for the way back. */
const REQUEST_WAIT_MS = 60_000;
/** From a link to an answered initialize; the other end may be downloading a server. */
const START_MS = 150_000;
const FAIL_GRACE_MS = 1000;
/** What a person must mend first. */
const FINAL: ReadonlySet<string> = new Set([
  'share_unknown',
  'bad_token',
  'overlay_unavailable',
  'state_folder_unsafe',
  'state_file_invalid',
  'not_permitted',
  'identity_invalid',
  'identity_refused',
  'not_enabled',
  'zrok_files_invalid',
  'account_refused',
  'environment_refused',
  ...IDENTITY_ERROR_CODES,
  ...ACCESS_ERROR_CODES,
]);
const REFUSALS: ReadonlySet<string> = new Set(IDENTITY_ERROR_CODES);
/** A host that our program cannot talk to. */
const NOT_OURS = new Set(['link_version', 'link_protocol']);
/** A host that will not have us; one that is full or leaving says when to come back. */
const REFUSED = new Set(['link_refused', 'link_unavailable']);
/** A network that is away is tried again as long as the agent lives. */
const BACKOFF = {
  clock: () => performance.now(),
  random: Math.random,
  minMs: 250,
  maxMs: 4000,
  crashes: Number.POSITIVE_INFINITY,
};

export interface ShareSessionOptions {
  readonly overlay: Overlay;
  readonly token: string;
  /** Where the state folder is. Default: this process's. */
  readonly env?: NodeJS.ProcessEnv;
  /** A token to come with, read again for each connection. */
  readonly access?: AccessSource | undefined;
  readonly by: string;
  readonly log: ShareSessionLog;
  readonly onState?: (state: SteadyState) => void;
}

export interface ShareSessionLog {
  debug(fields: object, event: string): void;
  info(fields: object, event: string): void;
  warn(fields: object, event: string): void;
}

export interface ShareSession {
  readonly server: SteadySession;
  /** The same, with the receipts of its answers kept. */
  readonly kept: Transport;
  /** Settles with the first attempt to reach the share; the error if it failed for good. */
  readonly firstAttempt: Promise<unknown>;
  /** Why the share was never reached. */
  failure(): unknown;
}

export function openShareSession(options: ShareSessionOptions): ShareSession {
  const { overlay, token, env = process.env, access, by, log, onState } = options;
  const session = randomBytes(16).toString('hex');
  const check = shareGuard({ overlay, share: token, env, access, log });
  const backoff = createBackoff(BACKOFF);
  const giveUpAt = Date.now() + FIRST_TRY_MS;
  let reached = false;
  let failure: unknown;
  let attempted: () => void = () => {};
  const firstAttempt = new Promise<void>((resolve) => {
    attempted = resolve;
  });
  const server = new SteadySession({
    name: `share ${token}`,
    open: async (events, signal) => {
      try {
        const transport = await dialShare({
          name: `share ${token}`,
          connect: (dialSignal) => overlay.dial(token, { signal: dialSignal }),
          session,
          via: [],
          by,
          events,
          signal,
          check,
          log,
          onSign: (come) => overlay.onSign?.(token, come) ?? (() => {}),
        });
        reached = true;
        return transport;
      } catch (error) {
        failure = withName(error, token);
        throw error;
      } finally {
        attempted();
      }
    },
    backoff: {
      note: backoff.note,
      next: () => (reached ? backoff.next() : Math.min(backoff.next(), FIRST_PAUSE_MS, giveUpAt - Date.now())),
    },
    waitMs: REQUEST_WAIT_MS,
    startMs: START_MS,
    unavailable: 'share_unreachable',
    facts: { share: token },
    failGraceMs: FAIL_GRACE_MS,
    numberCalls: true,
    outlivesHosts: true,
    refusedWith: refusalOf,
    isFatal: (error) => !reached && (isFinal(error) || Date.now() >= giveUpAt),
    onState: (state) => {
      log.debug({ phase: state.phase, reason: state.reason }, 'share');
      onState?.(state);
    },
  });
  const keeper = receiptKeeper({ key: shareKey(overlay, token), env, log });
  const kept = tapReceipts(server, { keeper, share: token, log });
  return { server, kept, firstAttempt, failure: () => (reached ? undefined : failure) };
}

/** Trying again would not help. */
function isFinal(error: unknown): boolean {
  if (error instanceof OverlayError) return FINAL.has(error.code);
  if (error instanceof SecretError) return true;
  if (!(error instanceof RelayError)) return false;
  return NOT_OURS.has(error.code) || (REFUSED.has(error.code) && error.facts.retryMs === undefined);
}

/** What the host has against us, or we against the host. It may be taken back while the agent lives: `mcp-gateway peers allow`,
 * `mcp-tools trust`. */
function refusalOf(error: unknown): string | undefined {
  if (error instanceof OverlayError) return REFUSALS.has(error.code) ? error.code : undefined;
  if (!(error instanceof RelayError) || !isFinal(error)) return undefined;
  const { code } = error.facts;
  return typeof code === 'string' ? code : error.code;
}

/** A link does not know whom it leads to; whoever reads the error has to. */
function withName(error: unknown, token: string): unknown {
  if (!(error instanceof RelayError) || error.message.includes(token)) return error;
  const { code, message, facts, hint } = error;
  return new RelayError(code, `share ${token}: ${message}`, {
    facts,
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}
