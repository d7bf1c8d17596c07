// From errors of the OpenZiti client to those of the overlay contract: the code says what kind of trouble it is, the message
// and the hint stay those of whoever knows best.

import { ZitiError, type ZitiErrorCode } from '@mcp-overlay/ziti';
import { OverlayError, type OverlayErrorCode } from '../errors.ts';

/** Codes that are not here, or whose prefix is not below: the network, or the way to it, is out of reach. */
const BY_CODE: Partial<Record<ZitiErrorCode, OverlayErrorCode>> = {
  service_not_found: 'share_unknown',
  service_not_permitted: 'not_permitted',
  service_not_hosted: 'share_not_hosted',
  host_refused: 'share_not_hosted',
  host_silent: 'dial_timeout',
  dial_timeout: 'dial_timeout',
  bind_timeout: 'dial_timeout',
  aborted: 'dial_aborted',
  instance_taken: 'share_in_use',
  encryption_mismatch: 'peer_incompatible',
  connection_lost: 'connection_lost',
  connection_closed: 'connection_lost',
  connection_violation: 'peer_incompatible',
  reader_too_slow: 'connection_lost',
  login_refused: 'identity_refused',
  login_incomplete: 'identity_refused',
  posture_failed: 'identity_refused',
  enroll_refused: 'enroll_refused',
  crypto_unavailable: 'overlay_unavailable',
  context_closed: 'overlay_unavailable',
  listener_closed: 'overlay_unavailable',
  controller_closed: 'overlay_unavailable',
};

const BY_PREFIX: readonly (readonly [prefix: string, code: OverlayErrorCode])[] = [
  ['identity_', 'identity_invalid'],
  ['enroll_', 'enroll_refused'],
  ['crypto_', 'peer_incompatible'],
];

/** Anything else than an error of the client stays what it is: a fault of ours. */
export function overlayError(error: unknown): unknown {
  if (!(error instanceof ZitiError)) return error;
  return new OverlayError(overlayCode(error.code), error.message, {
    cause: error,
    ...(error.hint === undefined ? {} : { hint: inOurVoice(error.hint) }),
  });
}

/** The client writes sentences, our programs lines: lower-case, no final period. */
function inOurVoice(hint: string): string {
  const line = hint.replace(/\.$/, '');
  return /^[A-Z][a-z]* /.test(line) ? line.charAt(0).toLowerCase() + line.slice(1) : line;
}

/** Of a connection that was there: whatever ended it, it is lost. */
export function connectionError(error: Error): OverlayError {
  if (error instanceof OverlayError) return error;
  const hint = error instanceof ZitiError ? error.hint : undefined;
  const code = error instanceof ZitiError && error.code.startsWith('crypto_') ? 'peer_incompatible' : 'connection_lost';
  return new OverlayError(code, error.message, {
    cause: error,
    ...(hint === undefined ? {} : { hint: inOurVoice(hint) }),
  });
}

function overlayCode(code: ZitiErrorCode): OverlayErrorCode {
  const [, byPrefix] = BY_PREFIX.find(([prefix]) => code.startsWith(prefix)) ?? [];
  return BY_CODE[code] ?? byPrefix ?? 'network_unreachable';
}

/** `share_unknown` as a person of this network needs it; every other error as it is. */
export function unknownService(token: string, error: unknown): unknown {
  if (error !== undefined && !(error instanceof OverlayError && error.code === 'share_unknown')) return error;
  return new OverlayError('share_unknown', `service ${token} does not exist, or this identity may not see it`, {
    hint: `mcp-tools list shows what it may use; ${howToMake(token)}`,
    cause: error,
  });
}

/** A plain identity makes no services. */
export function madeByAdministrator(what: string, remedy: string): OverlayError {
  return new OverlayError('not_permitted', `${what} cannot be made or removed by an identity of an OpenZiti network`, {
    hint: remedy,
  });
}

export function howToMake(name: string): string {
  return [
    `an administrator of the network makes it: ziti edge create service ${name}`,
    `and policies for who hosts and who dials: ziti edge create service-policy ${name}-bind Bind --service-roles @${name} --identity-roles @HOST`,
    `ziti edge create service-policy ${name}-dial Dial --service-roles @${name} --identity-roles @CALLER`,
  ].join('\n');
}
