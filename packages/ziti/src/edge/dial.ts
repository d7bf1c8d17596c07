// A dial from a service's name to a connection: service → session → router → connect, all within one time limit. A refusal that
// a fresh look may turn is followed by exactly one more attempt, with what was refused made anew (Go does the same).

import type { ApiSession, Controller, Service, ServiceSession } from '../controller/types.ts';
import type { Sodium } from '../crypto/sodium.ts';
import { ZitiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { connect } from './connect.ts';
import type { CloseMeans, ZitiConnection } from './connection.ts';
import { Deadline } from './deadline.ts';
import type { EdgeChannel } from './edge-channel.ts';
import type { EdgeRouters } from './edge-routers.ts';
import type { Refusal, Remedy } from './refusals.ts';
import type { Timing } from './timing.ts';

export interface DialOptions {
  /** Which instance of the service; those bound under a name are reached by it only. */
  readonly instance?: string | undefined;
  /** Told to the host with the dial. Not encrypted: routers see it. */
  readonly appData?: Uint8Array | undefined;
  /** Default 15 000. */
  readonly timeoutMs?: number | undefined;
  /** Ends the dial, not the connection. */
  readonly signal?: AbortSignal | undefined;
  /** Default 'end'. */
  readonly closeMeans?: CloseMeans | undefined;
}

export interface Dialling {
  readonly controller: Controller;
  readonly routers: EdgeRouters;
  readonly sodium: Sodium;
  readonly timing: Timing;
}

/** Rejects with `service_not_found`, `service_not_permitted`, `service_not_hosted`, `host_refused`, `host_silent`,
 * `dial_refused`, `dial_timeout`, `aborted`, or what the controller or the way to the routers says. */
export async function dial(name: string, options: DialOptions, dialling: Dialling): Promise<ZitiConnection> {
  const { appData } = options;
  if (appData && appData.length > LIMITS.appDataBytes) {
    const what = `${appData.length} bytes of application data for a dial`;
    throw new ZitiError('app_data_too_large', `${what}; ${LIMITS.appDataBytes} are possible`, {
      hint: 'send it over the connection',
    });
  }
  using deadline = new Deadline({
    ms: options.timeoutMs ?? dialling.timing.dialMs,
    late: 'dial_timeout',
    what: `the dial of service ${name}`,
    stage: 'no answer of the controller',
    signal: options.signal,
  });
  const first = await attempt(name, options, dialling, deadline, undefined);
  if ('connection' in first) return first.connection;
  if (first.remedy === 'never') throw first.error;
  try {
    const second = await attempt(name, options, dialling, deadline, first);
    if ('connection' in second) return second.connection;
    throw second.error;
  } catch (error) {
    // Out of time on the way back: what the network said first is the better answer.
    throw (error as ZitiError).code === 'dial_timeout' ? first.error : error;
  }
}

interface Failure {
  readonly error: ZitiError;
  readonly remedy: Remedy;
  readonly session: ServiceSession | undefined;
  readonly login: ApiSession | undefined;
  readonly router: string | undefined;
}

async function attempt(
  name: string,
  options: DialOptions,
  dialling: Dialling,
  deadline: Deadline,
  before: Failure | undefined,
): Promise<{ readonly connection: ZitiConnection } | Failure> {
  const { controller, routers, sodium, timing } = dialling;
  const { signal } = deadline;
  let channel: EdgeChannel | undefined;
  if (before?.remedy === 'login' && before.login) controller.invalidate(before.login);
  const known = await deadline.race(controller.service(name, { refresh: before !== undefined, signal }));
  // What was known may be older than the policy.
  const stale = before === undefined && !known.permissions.includes('Dial');
  const service = stale ? await deadline.race(controller.service(name, { refresh: true, signal })) : known;
  requireDial(service);
  const { session, login } = await sessionFor(service, dialling, deadline, before?.session);
  deadline.stage = 'no edge router could be reached';
  const avoid = new Set(before?.router === undefined ? [] : [before.router]);
  try {
    channel = await routers.dialChannel(session.routers, login, signal, avoid);
    const result = await connect({
      channel,
      session,
      service,
      sodium,
      callerId: login.identityName,
      instance: options.instance,
      appData: options.appData,
      closeMeans: options.closeMeans ?? 'end',
      timing,
      deadline,
    });
    if (isRefusal(result)) return { ...result, session, login, router: undefined };
    return { connection: result };
  } catch (error) {
    signal.throwIfAborted();
    const known = channelTrouble(error);
    if (!known) throw error;
    return { error: known, remedy: 'session', session, login, router: channel?.router };
  }
}

function requireDial(service: Service): void {
  if (service.permissions.includes('Dial')) return;
  throw new ZitiError('service_not_permitted', `this identity may not dial service ${service.name}`, {
    hint: "ask the network's administrator for a Dial policy",
  });
}

/** A session and the login it belongs to: channels of another login would refuse it. */
async function sessionFor(
  service: Service,
  { controller, routers }: Dialling,
  deadline: Deadline,
  refused: ServiceSession | undefined,
): Promise<{ session: ServiceSession; login: ApiSession }> {
  const { signal } = deadline;
  let renew = refused;
  for (;;) {
    const session = await deadline.race(controller.dialSession(service, renew ? { renew, signal } : { signal }));
    const login = await deadline.race(controller.apiSession(signal));
    renew = undefined;
    if (session.apiSessionId !== login.id) {
      // Somebody logged in again between the two.
      renew = session;
      continue;
    }
    const ask = (): Promise<unknown> =>
      controller.refreshRouters(session, signal).catch((error: ZitiError) => {
        if (error.code === 'session_lost') renew = session;
      });
    if (!(await deadline.race(routers.doubts.settle(login.id, ask)))) return { session, login };
  }
}

function isRefusal(result: ZitiConnection | Refusal): result is Refusal {
  return 'remedy' in result;
}

/** What may have ended the way to the router rather than the dial. */
function channelTrouble(error: unknown): ZitiError | undefined {
  if (!(error instanceof ZitiError)) return undefined;
  const trouble = /^(channel_|router_|connection_lost|no_edge_routers|hello_)/.test(error.code);
  return trouble ? error : undefined;
}
