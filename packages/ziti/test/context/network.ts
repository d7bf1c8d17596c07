// A test network with contexts on it, all closed with it.

import { once } from 'node:events';
import { ZitiContext, type ZitiContextOptions } from '../../src/context.ts';
import type { ZitiConnection } from '../../src/edge/connection.ts';
import type { ListenOptions, ZitiListener } from '../../src/edge/listener.ts';
import { parseIdentity } from '../../src/identity.ts';
import { startTestNetwork, type TestNetwork, type TestNetworkOptions } from '../../src/testing/index.ts';

export interface OnNetwork extends AsyncDisposable {
  readonly net: TestNetwork;
  /** A context of an identity, which is made if it is new. */
  open(identity: string, options?: ZitiContextOptions): Promise<ZitiContext>;
}

export async function onNetwork(options: TestNetworkOptions = {}): Promise<OnNetwork> {
  const net = await startTestNetwork(options);
  const identities = new Map<string, string>();
  const contexts: ZitiContext[] = [];
  return {
    net,
    async open(name, how = {}) {
      const json = identities.get(name) ?? net.addIdentity(name).json;
      identities.set(name, json);
      const context = await ZitiContext.open(parseIdentity(json), { sodium: { native: 'never' }, ...how });
      contexts.push(context);
      return context;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(contexts.map((context) => context.close()));
      await net.close();
    },
  };
}

/** Retries that a test can wait for. */
export const QUICK = { retryMinMs: 5, retryMaxMs: 50, stableMs: 20, moreRoutersMs: 20, allRoutersMs: 200 } as const;

export function echo(connection: ZitiConnection): void {
  connection.pipe(connection);
}

/** A service with one host and one caller, joined. */
export interface Joined {
  readonly client: ZitiContext;
  readonly host: ZitiContext;
  readonly listener: ZitiListener;
  readonly dialled: ZitiConnection;
  readonly accepted: ZitiConnection;
}

export async function joined(
  on: OnNetwork,
  how: {
    client?: ZitiContextOptions;
    host?: ZitiContextOptions;
    listen?: Partial<ListenOptions>;
    service?: string;
  } = {},
): Promise<Joined> {
  const [client, host] = await Promise.all([on.open('client', how.client), on.open('host', how.host)]);
  let arrived: (connection: ZitiConnection) => void = () => {};
  const arrival = new Promise<ZitiConnection>((resolve) => {
    arrived = resolve;
  });
  const service = how.service ?? 'echo';
  const listener = await host.listen(service, { onConnection: (connection) => arrived(connection), ...how.listen });
  const dialled = await client.dial(service);
  return { client, host, listener, dialled, accepted: await arrival };
}

/** Sends a text and waits for as much to come back. */
export async function echoed(connection: ZitiConnection, text: string): Promise<string> {
  connection.write(text);
  let back = '';
  while (back.length < text.length) {
    const chunk: Buffer | null = connection.read();
    if (chunk) back += String(chunk);
    else await once(connection, 'readable');
  }
  return back;
}
