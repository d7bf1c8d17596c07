// Errors for requests that got no answer: who was asked, why nothing came, what to look at.

import { ZitiError } from '../errors.ts';

/** Node's names for a server certificate that our CAs do not vouch for. Those that begin with ERR_SSL are the server's. */
const UNTRUSTED = /^(?!ERR_SSL).*(CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|INVALID_(CA|PURPOSE)|HOSTNAME_MISMATCH)/;

export function unreachable(host: string, cause: NodeJS.ErrnoException): ZitiError {
  if (cause instanceof ZitiError) return cause;
  const reason = cause.code ?? cause.message;
  if (UNTRUSTED.test(reason)) {
    return new ZitiError(
      'controller_untrusted',
      `controller ${host} shows a certificate that is not trusted (${reason})`,
      {
        hint: 'Is this the right controller? If its CA changed, enroll again or renew id.ca in the identity file.',
        cause,
      },
    );
  }
  return new ZitiError('controller_unreachable', `controller ${host} cannot be reached (${reason})`, {
    hint: 'Check the address in the identity file, the network, and whether the controller runs.',
    cause,
  });
}

export function timedOut(host: string, timeoutMs: number): ZitiError {
  return new ZitiError('controller_timeout', `controller ${host} did not answer within ${timeoutMs / 1000} s`, {
    hint: 'Check the network and the load of the controller.',
  });
}

export function tooLarge(host: string, maxBytes: number): ZitiError {
  return new ZitiError(
    'controller_answer_too_large',
    `an answer of controller ${host} is larger than ${maxBytes} bytes`,
    {
      hint: 'Is this a controller at all?',
    },
  );
}

/** Whoever stops us with an error of ours says why. */
export function aborted(cause: unknown): ZitiError {
  if (cause instanceof ZitiError) return cause;
  return new ZitiError('aborted', 'stopped before the controller had answered', { cause });
}

export function closedClient(cause?: unknown): ZitiError {
  return new ZitiError('controller_closed', 'the client was closed', { cause });
}
