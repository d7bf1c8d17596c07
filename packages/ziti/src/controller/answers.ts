// What a controller answered, as a value: data, or a refusal with its code. Envelope {data, meta} or {error, meta} and the
// codes: openziti/edge-api rest_model, openziti/ziti controller/apierror. OIDC end points refuse in OAuth's form or in text.

import { ZitiError } from '../errors.ts';
import { isRecord, textOf } from '../json.ts';
import { LIMITS } from '../limits.ts';
import type { RestAnswer } from './rest-client.ts';

export interface Refusal {
  readonly status: number;
  /** `NOT_FOUND`, `COULD_NOT_VALIDATE`, `invalid_grant` … */
  readonly code: string | undefined;
  /** The controller's words, cut and made harmless. */
  readonly message: string | undefined;
  /** Which member of our request was wrong. */
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;
}

export type ApiAnswer =
  | { readonly ok: true; readonly data: unknown; readonly meta: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly refusal: Refusal };

export function apiAnswer(answer: RestAnswer, host: string): ApiAnswer {
  if (answer.status < 200 || answer.status > 299) return { ok: false, refusal: refusalOf(answer) };
  const envelope = jsonOf(answer.body);
  if (!isRecord(envelope)) throw invalidAnswer(host, 'no JSON object');
  return { ok: true, data: envelope.data, meta: isRecord(envelope.meta) ? envelope.meta : {} };
}

export function refusalOf(answer: RestAnswer): Refusal {
  const { status } = answer;
  const body = jsonOf(answer.body);
  const retryAfterMs = secondsOf(answer.headers['retry-after']);
  if (!isRecord(body)) {
    return { status, code: undefined, message: quoted(answer.body.toString()), field: undefined, retryAfterMs };
  }
  if (!isRecord(body.error)) {
    const message = textOf(body, 'error_description');
    return { status, code: textOf(body, 'error'), message: message && quoted(message), field: undefined, retryAfterMs };
  }
  const cause = isRecord(body.error.cause) ? body.error.cause : {};
  const message = textOf(cause, 'reason') ?? textOf(cause, 'message') ?? textOf(body.error, 'message');
  return {
    status,
    code: textOf(body.error, 'code'),
    message: message && quoted(message),
    field: textOf(cause, 'field'),
    retryAfterMs,
  };
}

/** For a message of ours: "400 COULD_NOT_VALIDATE: service not found". */
export function describe({ status, code, message }: Refusal): string {
  return [[status, code].filter((part) => part !== undefined).join(' '), message].filter(Boolean).join(': ');
}

export function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

export function invalidAnswer(host: string, what: string): ZitiError {
  return new ZitiError('controller_answer_invalid', `controller ${host} answered what we do not understand: ${what}`, {
    hint: 'Is a proxy in between? Is the version of the controller supported (1.6 and later)?',
  });
}

/** One line, no control characters, no secrets of ours: those are never part of it. */
export function quoted(text: string): string | undefined {
  const line = text
    .slice(0, LIMITS.quotedChars)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim();
  return line === '' ? undefined : line;
}

/** Only the form in seconds; a date would be by the controller's clock. */
function secondsOf(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : undefined;
}
