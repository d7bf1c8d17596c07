// One stdio server as a dark service: each legacy session that comes in gets a child of its own, modern requests share one,
// and both ends are joined without a look at what they say. Where client and server speak different eras the session is
// translated (relay/eras). A child that dies is started again inside its session (relay/steady).

import { quoteWord } from '@mcp-overlay/config';
import { type Grants, type Listener, type Overlay, openGate, type Principal } from '@mcp-overlay/overlay';
import {
  Acceptor,
  callSession,
  describeFault,
  type Era,
  type EraKnown,
  type EraSetting,
  type EraWay,
  type Fault,
  LIMITS,
  ledgerIdentity,
  OnceSession,
  relay,
  ServerEras,
  SharedServer,
  type SteadyOptions,
  SteadySession,
  splitEras,
  type Transport,
  within,
} from '@mcp-overlay/relay';
import { openShareLedger } from './ledger.ts';
import type { BridgeLog } from './log.ts';
import { openServers, type Servers, type ServersOptions } from './servers.ts';

/** How long open calls may still take when the bridge is told to end. */
const DRAIN_MS = 1500;
/** A first `npx` downloads its server. */
const START_MS = 120_000;

export interface BridgeOptions extends Omit<ServersOptions, 'oneForAll'> {
  readonly overlay: Overlay;
  /** undefined: an ephemeral share with a random token. */
  readonly token: string | undefined;
  /** Where the state folder is. */
  readonly stateEnv: NodeJS.ProcessEnv;
  /** Who may come besides its owner. */
  readonly grants: Grants;
  /** What the server speaks; `auto`: found out. */
  readonly era: EraSetting;
  readonly by: string;
  onLost(error: Error): void;
}

export interface Bridge {
  readonly token: string;
  close(): Promise<void>;
}

export async function startBridge(options: BridgeOptions): Promise<Bridge> {
  const { overlay, log, by, grants } = options;
  const ledger = await openShareLedger(options);
  const sessions = new Map<SteadySession, Promise<unknown>>();
  let modern = options.era === 'modern';
  const servers = openServers({ ...options, oneForAll: () => options.shared || modern });
  const shared = options.shared ? sharedServer(options, servers) : undefined;
  const eras = serverEras(options, ({ era }) => {
    modern = era !== 'legacy';
    if (modern) servers.dropSpares();
  });
  let count = 0;
  let name: (token: string) => void = () => {};
  const gate = openGate({
    overlay,
    share: new Promise((resolve) => {
      name = resolve;
    }),
    grants,
    remedy: (id) => `mcp-bridge --grant ${quoteWord(id)}`,
    log,
  });
  const acceptor = new Acceptor<Principal>({
    by,
    log,
    judge: gate.judge,
    prove: gate.prove,
    once: ledger.seconds,
    ledger: await ledgerIdentity(ledger.folder),
    lostServers: shared === undefined ? 'gone' : undefined,
    onReturn: (accepted, principal) => gate.renew(accepted.principal, principal),
    onSession: (accepted) => {
      count += 1;
      const number = count;
      const unwatch = gate.watch(accepted.principal, (why) => void accepted.transport.close(why));
      const way = wayOf(options, servers, shared, accepted.principal.id);
      log.info({ session: number, by: accepted.by, principal: accepted.principal.id }, 'session opened');
      const lane = (era: Era, client: Transport): void => {
        const server = steady(options, servers, (events, signal) => eras.open(era, way, events, signal));
        const session = callSession(accepted.principal.id, accepted.session, era);
        const once = new OnceSession({ server, ledger, session, name: `server ${options.command}` });
        const over = join(client, once, log, number).then((reason) => {
          sessions.delete(server);
          log.info({ session: number, era, code: reason.code }, 'session closed');
        });
        sessions.set(server, over);
      };
      splitEras(
        accepted.transport,
        { legacy: (client) => lane('legacy', client), modern: (client) => lane('modern', client) },
        { onClosed: ({ code }) => log.info({ session: number, code }, 'session closed'), onGone: unwatch },
      );
    },
  });
  const listenOptions = { onConnection: acceptor.accept, onLost: options.onLost, grants: grants.accounts };
  const listening: Promise<Listener> =
    options.token === undefined ? overlay.listenEphemeral(listenOptions) : overlay.listen(options.token, listenOptions);
  const listener = await listening.catch(async (error: unknown) => {
    // A spare that waits would keep this program alive, with nobody who could come.
    await Promise.all([servers.close(), ledger.close()]);
    throw error;
  });
  name(listener.share);
  return {
    token: listener.share,
    close: async () => {
      await listener.close();
      await within(DRAIN_MS, Promise.all([...sessions.keys()].map((session) => session.drain())));
      const reason = { code: 'away', reason: 'the bridge is ending' };
      const over = [...sessions.values()];
      // Open calls get their answers before the peers are sent away.
      const ended = [...sessions.keys()].map((server) => server.close(reason));
      await acceptor.close(reason);
      await Promise.all([...ended, ...over]);
      await Promise.all([shared?.close(reason), eras.close(reason), servers.close()]);
      await ledger.close();
    },
  };
}

function steady(options: BridgeOptions, servers: Servers, open: SteadyOptions['open']): SteadySession {
  return new SteadySession({
    name: `server ${options.command}`,
    open,
    backoff: servers.backoff(),
    waitMs: START_MS,
    startMs: START_MS,
    unavailable: 'backend_unavailable',
    onStray: strayLogger(options.log),
  });
}

function serverEras({ era, by, log }: BridgeOptions, onFound: (found: EraKnown) => void): ServerEras {
  return new ServerEras({
    era,
    by,
    limits: LIMITS,
    oneForAll: true,
    legacyNative: false,
    timeoutMs: START_MS,
    onFound: (found) => {
      onFound(found);
      log.info(found, 'the server speaks this era');
    },
    onStray: strayLogger(log),
  });
}

function wayOf(options: BridgeOptions, servers: Servers, shared: SharedServer | undefined, principal: string): EraWay {
  const fresh = (): Promise<Transport> => servers.open();
  return {
    open: shared === undefined ? fresh : () => shared.attach(),
    fresh: shared === undefined ? undefined : { open: fresh, keep: (asked) => shared.keep(asked) },
    steady: (open) => steady(options, servers, open),
    principal,
  };
}

function sharedServer(options: BridgeOptions, servers: Servers): SharedServer {
  const { by, log } = options;
  return new SharedServer({ by, limits: LIMITS, open: () => servers.open(), onStray: strayLogger(log) });
}

function strayLogger(log: BridgeLog): (fault: Fault) => void {
  return (fault) => {
    // Lines that nobody can tell the kind of are shown by the child itself, at a bounded rate.
    if (fault.kind === 'unknown' && fault.code !== 'message_too_large') return;
    log.warn({ line: fault.preview, fault: describeFault(fault) }, 'message skipped');
  };
}

function join(client: Transport, server: Transport, log: BridgeLog, session: number) {
  return relay(client, server, {
    onFault: (side, fault) => log.warn({ session, side, fault: describeFault(fault) }, 'message skipped'),
  });
}
