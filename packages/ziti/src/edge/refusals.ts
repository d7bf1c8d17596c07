// A "no" of a router as an error of ours, and what helps against it. Routers before 2.0 only send a text; later ones also a code
// (1014) and JSON (1033: message, code, retryHint, failingPostureCheckIds). Texts were seen at 1.6.0; an unknown one is just a
// refusal. Codes and hints: openziti/sdk-golang ziti/edge/messages.go, ziti router/xgress_edge/error.go.

import type { Message } from '../channel/message.ts';
import { printable } from '../channel/printable.ts';
import { ZitiError, type ZitiErrorCode } from '../errors.ts';
import { isRecord, textsOf } from '../json.ts';
import { LIMITS } from '../limits.ts';
import { EDGE_HEADERS } from './ids.ts';

/** What may turn the "no" into a "yes". login: a new API session and new channels. session: a new service session and what it
 * says of routers. never: nothing that we can do. */
export type Remedy = 'login' | 'session' | 'never';

export interface Refusal {
  readonly error: ZitiError;
  readonly remedy: Remedy;
}

export type Refused = 'dial' | 'bind';

interface Verdict {
  readonly code: ZitiErrorCode;
  readonly remedy: Remedy;
  readonly hint?: string;
}

const RETRY_HINT_NEVER = 3;

const NOT_HOSTED: Verdict = {
  code: 'service_not_hosted',
  remedy: 'never',
  hint: 'start the program that hosts the service, or ask who runs it',
};
const LOGIN: Verdict = { code: 'session_refused', remedy: 'login' };
const SESSION: Verdict = { code: 'session_refused', remedy: 'session' };
const ENCRYPTION: Verdict = {
  code: 'encryption_mismatch',
  // The service may have been changed since we asked for it.
  remedy: 'session',
  hint: 'host and dialer must both know whether the service is encrypted: restart the host',
};
const INSTANCE: Verdict = {
  code: 'instance_taken',
  remedy: 'never',
  hint: 'another identity hosts an instance of this name: choose another name',
};
const NOT_PERMITTED: Verdict = {
  code: 'service_not_permitted',
  remedy: 'session',
  hint: "ask the network's administrator for a policy that allows it",
};
const POSTURE: Verdict = {
  code: 'posture_failed',
  remedy: 'never',
  hint: 'this client answers no posture checks: use a service without them',
};

/** Structured code → verdict. What is missing is judged by its text: 1 (internal) says nothing, 4, 9, 10 cannot happen. */
const BY_CODE: Readonly<Record<number, Verdict>> = {
  2: LOGIN,
  3: SESSION,
  5: SESSION,
  6: { code: 'service_not_found', remedy: 'session' },
  11: ENCRYPTION,
  12: LOGIN,
  13: INSTANCE,
  14: NOT_PERMITTED,
  15: POSTURE,
};

/** Text → verdict, the first that fits. */
const BY_TEXT: readonly (readonly [RegExp, Verdict])[] = [
  [/^service \S+ has no (online )?terminators/, NOT_HOSTED],
  [/timeout waiting (for message reply|to put message in send queue)/, { code: 'host_silent', remedy: 'never' }],
  [/failed to establish connection with terminator/, { code: 'host_refused', remedy: 'never' }],
  [/^encryption required on service/, ENCRYPTION],
  [/invalid api session|token is expired|^identity with id .* not found/, LOGIN],
  [/^invalid session|^incorrect session type|^session (closed|ended)|^invalid edge router for session/, SESSION],
  [/belongs to different identity/, INSTANCE],
];

/** `service`: its name. `router`: who said no. */
export function refusalOf(message: Message, refused: Refused, service: string, router: string): Refusal {
  const structured = structuredError(message);
  const text = shown(structured.text ?? Buffer.from(message.body).toString('utf8'));
  const verdict = BY_CODE[structured.code] ?? byText(text, refused);
  const checks = structured.postureChecks.length > 0 ? ` (failing checks: ${structured.postureChecks.join(', ')})` : '';
  const what = refused === 'dial' ? 'the dial of' : 'hosting';
  const error = new ZitiError(
    verdict.code,
    `router ${router} refused ${what} service ${service}: ${text || 'no reason given'}${checks}`,
    { hint: verdict.hint },
  );
  return { error, remedy: structured.retryHint === RETRY_HINT_NEVER ? 'never' : verdict.remedy };
}

/** Whether the router says no more than that the other end is gone, whatever made it go (ziti xgress_edge/fabric.go, Close). */
export function isPlainClose(text: string): boolean {
  return text === '' || text === 'close called';
}

/** The reason in a StateClosed. */
export function closeText(message: Message): string {
  return shown(Buffer.from(message.body).toString('utf8'));
}

function byText(text: string, refused: Refused): Verdict {
  const lower = text.toLowerCase();
  for (const [pattern, verdict] of BY_TEXT) if (pattern.test(lower)) return verdict;
  return { code: refused === 'dial' ? 'dial_refused' : 'bind_refused', remedy: 'session' };
}

interface Structured {
  readonly code: number;
  readonly text: string | undefined;
  readonly retryHint: number;
  readonly postureChecks: readonly string[];
}

function structuredError({ headers }: Message): Structured {
  const detail = parseDetail(headers.string(EDGE_HEADERS.structuredError));
  const code = headers.u32(EDGE_HEADERS.errorCode) ?? numberOf(detail, 'code');
  const text = typeof detail.message === 'string' && detail.message !== '' ? detail.message : undefined;
  const postureChecks = textsOf(detail, 'failingPostureCheckIds').map(shown);
  return { code, text, retryHint: numberOf(detail, 'retryHint'), postureChecks };
}

function parseDetail(json: string | undefined): Record<string, unknown> {
  if (json === undefined) return {};
  try {
    const value: unknown = JSON.parse(json);
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}

function numberOf(detail: Record<string, unknown>, key: string): number {
  const value = detail[key];
  return typeof value === 'number' ? value : 0;
}

function shown(text: string): string {
  return printable(text).slice(0, LIMITS.peerTextChars).trim();
}
