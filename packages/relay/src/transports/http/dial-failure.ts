// Why a request of ours got no answer, in words a person can act on: who, what, and what to do about it. TLS speaks in
// OpenSSL's codes; which of them concern the certificate, and which the other end's or our own, decides about the hint.

/** Why no usable answer came. `mayHaveArrived`: the server may have seen the request. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure';
  readonly mayHaveArrived: boolean;
  readonly hint: string | undefined;

  constructor(message: string, options: { mayHaveArrived: boolean; hint?: string; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.mayHaveArrived = options.mayHaveArrived;
    this.hint = options.hint;
  }
}

export class ConnectTimeout extends Error {
  readonly code = 'CONNECT_TIMEOUT';
  constructor(ms: number) {
    super(`no connection within ${ms / 1000} s`);
  }
}

const CAUSES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'host name not found',
  EAI_AGAIN: 'host name cannot be looked up now',
  ECONNRESET: 'connection was cut',
  EPIPE: 'connection was cut',
  ETIMEDOUT: 'connection timed out',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  HPE_HEADER_OVERFLOW: 'its headers are too large',
};

/** `connected`: it got as far as a connection, so the server may have seen the request. */
export function failureOf(error: Error, url: URL, connected: boolean): HttpFailure {
  const [first] = error instanceof AggregateError ? (error.errors as unknown[]) : [error];
  const { code = '', message = '' } = first as { code?: string; message?: string };
  const { reason, hint } = tlsFailure(code, message) ?? { reason: CAUSES[code] ?? otherCause(code, message) };
  return new HttpFailure(`${url.host}: ${reason}`, {
    mayHaveArrived: connected,
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}

function otherCause(code: string, message: string): string {
  return code.startsWith('HPE_') ? 'it does not speak HTTP properly' : message || code;
}

function tlsFailure(code: string, message: string): { reason: string; hint?: string } | undefined {
  // Alerts and records: codes of OpenSSL's own, or EPROTO with the text that OpenSSL has for it.
  const said = /SSL routines:[^:]*:([^:\n]+)/.exec(message)?.[1];
  if (said === 'wrong version number') {
    return { reason: 'it does not speak TLS', hint: 'is the port right? without TLS the address begins with http://' };
  }
  if (said?.includes('certificate required') === true) {
    return { reason: 'it wants a certificate of the client, and there is none to show' };
  }
  if (said !== undefined) return { reason: `no agreement on TLS: ${said}` };
  const reason = `its certificate is not accepted (${code})`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return { reason, hint: 'it is for other names than the one in the address' };
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return { reason, hint: 'it must be renewed there, or a clock is wrong' };
  }
  return /CERT|SELF_SIGNED|UNABLE_TO/.test(code) ? { reason, hint: 'configure the CA that signed it' } : undefined;
}
