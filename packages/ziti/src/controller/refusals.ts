// Each "no" of a controller as an error that says who refused what, and what to do about it. Status decides, the code
// refines: openziti/ziti controller/apierror/messages.go.

import { ZitiError, type ZitiErrorCode } from '../errors.ts';
import { describe, type Refusal } from './answers.ts';
import { isBusy } from './controllers.ts';

/** 429 and 5xx, after every controller was asked. */
export function troubled(refusal: Refusal, doing: string, urls: readonly string[]): ZitiError {
  const busy = isBusy(refusal);
  const what = busy ? 'is busy or has no leader' : 'failed';
  return new ZitiError(
    busy ? 'controller_busy' : 'controller_failed',
    `${hostsOf(urls)} ${what} while ${doing}: ${describe(refusal)}`,
    { hint: busy ? 'Try again later.' : 'Look into the log of the controller.' },
  );
}

/** Everything that is no trouble and has no meaning of its own where it happened. */
export function refused(refusal: Refusal, doing: string, url: string): ZitiError {
  if (refusal.status === 401) {
    return error('login_lost', `${hostsOf([url])} does not accept a login it just gave, while ${doing}`, refusal, {
      hint: 'The identity was probably removed or disabled a moment ago: ask its owner.',
    });
  }
  return error('controller_refused', `${hostsOf([url])} refused ${doing}`, refusal, {
    hint: 'Is the version of the controller supported (1.6 and later)?',
  });
}

/** `POST /sessions` and what belongs to it; undefined when it is none of these. */
export function sessionRefused(refusal: Refusal, service: string, type: string, url: string): ZitiError | undefined {
  const { status, code, field } = refusal;
  const asking = `${hostsOf([url])} gives no ${type} session for service "${service}"`;
  if (status === 409 || code === 'INVALID_POSTURE') {
    return error('posture_failed', asking, refusal, {
      hint: 'A posture check guards the service, and this client sends no posture data: use a policy without it.',
    });
  }
  if (code === 'NO_EDGE_ROUTERS_AVAILABLE') {
    return error('no_edge_routers', asking, refusal, {
      hint: 'Give the identity and the service an edge router in common: edge-router policy, service-edge-router policy.',
    });
  }
  if (status === 400 && field?.toLowerCase() === 'serviceid') {
    return error('service_not_permitted', asking, refusal, {
      hint: `Give the identity a ${type} policy for the service.`,
    });
  }
  return undefined;
}

export function serviceNotFound(name: string, urls: readonly string[]): ZitiError {
  return new ZitiError('service_not_found', `${hostsOf(urls)} shows this identity no service "${name}"`, {
    hint: 'Check the name, and that a Dial or Bind policy lets this identity see it.',
  });
}

function error(code: ZitiErrorCode, what: string, refusal: Refusal, { hint }: { hint: string }): ZitiError {
  return new ZitiError(code, `${what}: ${describe(refusal)}`, { hint });
}

export function hostsOf(urls: readonly string[]): string {
  return `controller ${urls.map((url) => new URL(url).host).join(', ')}`;
}
