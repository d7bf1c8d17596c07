// The kinds of backend: how a transport for one client session is opened. `share` covers bridges and other gateways.

import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import { OutputFilter } from '@mcp-overlay/cli';
import { accessReader, type BackendConfig, compileGlob } from '@mcp-overlay/config';
import { shareGuard } from '@mcp-overlay/overlay';
import {
  type Backoff,
  createBackoff,
  DONE,
  dialShare,
  type EraKnown,
  type EraWay,
  RelayError,
  ServerEras,
  SharedServer,
  type SteadyOptions,
  SteadySession,
  type Transport,
} from '@mcp-overlay/relay';
import type { Backend, SessionOrigin } from './backend.ts';
import { BackendChildren, type SeatServers } from './children.ts';
import { NOT_SERVED, type Seat, seatsOf } from './credentials.ts';
import { noticingDoubts } from './doubts.ts';
import { withoutEchoes } from './echoes.ts';
import { Lives } from './lives.ts';
import type { BackendSurroundings } from './surroundings.ts';

/** A child that crashes again and again is left alone for a while; a network that is away is simply tried again. */
const CHILD_BACKOFF = { clock: () => performance.now(), random: Math.random };
const NETWORK_BACKOFF = { ...CHILD_BACKOFF, minMs: 250, maxMs: 4000, crashes: Number.POSITIVE_INFINITY };

export function backendOf(config: BackendConfig, around: BackendSurroundings): Backend {
  const { id, transport } = config;
  const seatOf = seatsOf(config, around.secrets);
  /** As found last; every caller's server is the same program. */
  let known: EraKnown | undefined;
  const oneForAll = (): boolean => config.shared === true || (known !== undefined && known.era !== 'legacy');
  const children =
    transport.type === 'stdio' ? new BackendChildren({ config, transport, around, oneForAll }) : undefined;
  const backoff = (seat = ''): Backoff =>
    children === undefined ? createBackoff(NETWORK_BACKOFF) : children.backoff(seat, createBackoff(CHILD_BACKOFF));
  const connectMs = config.connectTimeoutMs ?? around.connectTimeoutMs;
  const steadyOf = (seat: string) => (open: SteadyOptions['open']) =>
    new SteadySession({
      name: `backend ${id}`,
      open,
      backoff: backoff(seat),
      waitMs: connectMs,
      startMs: connectMs,
      unavailable: 'backend_unavailable',
      facts: { backend: id },
      onState: (state) => around.onState(state),
      onStray: (fault) => around.onStray(fault),
    });
  const serverEras = (): ServerEras =>
    new ServerEras({
      // The older HTTP transport has only the older revisions.
      era: transport.type === 'http' && transport.protocol === 'sse' ? 'legacy' : (config.era ?? 'auto'),
      by: around.by,
      limits: around.limits,
      oneForAll: transport.type === 'stdio',
      legacyNative: transport.type === 'share',
      timeoutMs: connectMs,
      onFound: (found) => {
        known = found;
        if (oneForAll()) for (const servers of kept) servers.dropSpares();
        around.log.info({ backend: id, ...found }, 'the backend speaks this era');
      },
      onStray: (fault) => around.onStray(fault),
    });
  /** Of all seats. */
  const kept = new Set<SeatServers>();
  const lives = new Lives<Life, Seat>({
    make: (seat) => {
      const servers = children?.servers(seat);
      if (servers) kept.add(servers);
      return { eras: serverEras(), servers, shared: undefined };
    },
    close: async ({ eras, shared, servers }) => {
      await Promise.all([eras.close(DONE), shared?.close(DONE), servers?.close()]);
      if (servers) kept.delete(servers);
    },
  });
  const open: Backend['open'] = async ({ era, principal, caller, session, via, alone }, events, signal) => {
    const seat = seatOf(caller);
    if (seat === undefined) throw new Error(NOT_SERVED);
    const life = lives.enter(seat.key, signal, seat);
    if (config.shared === true && life.servers) life.shared ??= sharedServer(life.servers, around);
    const way = wayTo(config, { session, via }, seat, life, around);
    return life.eras.open(era, { ...way, steady: steadyOf(seat.key), principal, alone }, events, signal);
  };
  return {
    id,
    config,
    backoff: (caller) => backoff(seatOf(caller)?.key),
    mayRunTwice: anyOf(config.mayRunTwice),
    serves: (caller) => seatOf(caller) !== undefined,
    seat: (caller) => seatOf(caller)?.key,
    open,
    era: () => known,
    ...(children && {
      servers: () => children.state(),
      onWoken: (listener: () => void) => children.onWoken(listener),
    }),
    close: () => lives.close(),
  };
}

function anyOf(patterns: readonly string[] | undefined): ((name: string) => boolean) | undefined {
  if (patterns === undefined) return undefined;
  const fits = patterns.map(compileGlob);
  return (name) => fits.some((fit) => fit(name));
}

/** What sessions of one seat share. */
interface Life {
  readonly eras: ServerEras;
  /** Of stdio servers. */
  readonly servers: SeatServers | undefined;
  shared: SharedServer | undefined;
}

function sharedServer(servers: SeatServers, { by, limits }: BackendSurroundings): SharedServer {
  return new SharedServer({ by, limits, open: () => servers.open() });
}

/** How a transport to the server is opened that has not been spoken to. */
function wayTo(
  { id, transport }: BackendConfig,
  { session, via }: Pick<SessionOrigin, 'session' | 'via'>,
  seat: Seat,
  { shared, servers }: Life,
  around: BackendSurroundings,
): Pick<EraWay, 'open' | 'fresh'> {
  switch (transport.type) {
    case 'stdio': {
      const fresh = (): Promise<Transport> => servers?.open() ?? Promise.reject(new TypeError('no servers'));
      if (shared === undefined) return { open: fresh };
      return { open: () => shared.attach(), fresh: { open: fresh, keep: (asked) => shared.keep(asked) } };
    }
    case 'share':
      return {
        open: async (events, signal) => {
          const overlay = await around.overlayOf(transport);
          const { env, log } = around;
          return dialShare({
            name: `share ${transport.token}`,
            connect: (dialSignal) => overlay.dial(transport.token, { signal: dialSignal }),
            session,
            via,
            by: around.by,
            events,
            signal,
            check: noticingDoubts(
              shareGuard({ overlay, share: transport.token, env, log, access: accessTo(transport, around) }),
              (code) => around.onHostDoubt?.(id, code),
            ),
            limits: around.limits,
            log,
            onSign: (come) => overlay.onSign?.(transport.token, come) ?? (() => {}),
          });
        },
      };
    case 'http':
      return { open: async () => openHttp(id, transport, seat, around) };
  }
}

function accessTo({ access, accessKey: key }: TransportOf<'share'>, { secrets, access: own }: BackendSurroundings) {
  return access === undefined ? own : accessReader({ access, key }, secrets);
}

type TransportOf<K> = Extract<BackendConfig['transport'], { type: K }>;

/** Loaded with the first HTTP backend only. */
async function openHttp(
  id: string,
  transport: TransportOf<'http'>,
  seat: Seat,
  around: BackendSurroundings,
): Promise<Transport> {
  const { httpTransport } = await import('@mcp-overlay/relay/http');
  const { url, protocol, allowInsecure, tls } = transport;
  const echoes = new OutputFilter();
  const read = (): Promise<Record<string, string>> => seat.headers((secret) => echoes.hide(secret));
  const headers = await read();
  const ca = tls.caCertFile === undefined ? undefined : await readCa(id, tls.caCertFile);
  const session = httpTransport({
    name: `backend ${id}`,
    facts: { backend: id },
    url,
    protocol,
    headers,
    renew: read,
    allowInsecure,
    tls: { insecureSkipVerify: tls.insecureSkipVerify, ...(ca === undefined ? {} : { ca }) },
    limits: around.limits,
    log: around.log,
  });
  return withoutEchoes(session, { id, echoes, around });
}

/** The configured CA beside those of the system, as in the original. */
async function readCa(id: string, file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new RelayError('http_failed', `backend ${id}: tls.ca_cert_file ${file} cannot be read (${error.code})`);
  });
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    throw new RelayError('http_failed', `backend ${id}: tls.ca_cert_file ${file} holds no PEM certificate`);
  }
  return [...rootCertificates, text].join('\n');
}
