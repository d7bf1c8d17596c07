// Read first: joins everything. Configuration + overlay -> backends with their health -> a share whose sessions each get
// their own backend sessions -> an admin socket that tells how it is.

import { randomBytes } from 'node:crypto';
import { UsageError, withoutSecrets } from '@mcp-overlay/cli';
import type { GatewayConfig, SecretString } from '@mcp-overlay/config';
import { grantsOf, type Overlay, openOverlay, openPeerBook, ownIdentity } from '@mcp-overlay/overlay';
import { DONE, LIMITS, type Limits } from '@mcp-overlay/relay';
import { HealthRecord } from './backend/health.ts';
import { backendOf } from './backend/kinds.ts';
import { watching } from './backend/watch.ts';
import type { GatewayLog } from './call/log.ts';
import { type Peers, peersOf } from './peers.ts';
import { toolFilter } from './policy/filter.ts';
import { callGauge } from './policy/limit.ts';
import { naming } from './routing/names.ts';
import { hideWritten, secretsOf } from './secrets.ts';
import { openProbes } from './session/probe.ts';
import type { SessionSettings } from './session/settings.ts';
import { openShare } from './share.ts';
import { type GatewayStatus, statusOf } from './status.ts';

export interface GatewayOptions {
  readonly config: GatewayConfig;
  readonly overlay: Overlay;
  readonly env: NodeJS.ProcessEnv;
  /** What `--identity` names: for shares on other overlays than the gateway's own. */
  readonly identity?: string | undefined;
  /** Trust files of the command line, beside those of the configuration. */
  readonly trust?: readonly string[] | undefined;
  readonly version: string;
  readonly log: GatewayLog;
  /** Of a vault that wants one. Absent: nobody is at a terminal. */
  readonly passphrase?: (() => Promise<SecretString>) | undefined;
  onLost(error: Error): void;
}

export interface Gateway {
  readonly token: string;
  status(): Promise<GatewayStatus>;
  readonly peers: Peers;
  close(): Promise<void>;
}

export function sessionSettings(options: Omit<GatewayOptions, 'onLost'>): SessionSettings {
  const { config, log, version } = options;
  const by = `mcp-gateway/${version}`;
  const others = new Map<string, Promise<Overlay>>();
  const overlayOf = (kind: string | undefined): Promise<Overlay> => {
    if (kind === undefined || kind === options.overlay.kind) return Promise.resolve(options.overlay);
    const known =
      others.get(kind) ??
      openOverlay({ ...overlayOptions(options), kind: kind as Overlay['kind'] }).then((o) => o.overlay);
    others.set(kind, known);
    return known;
  };
  const limits: Limits = { ...LIMITS, ...config.limits };
  const children = { count: 0 };
  const secrets = secretsOf(options);
  hideWritten(config.backends, options.env);
  const enabled = config.backends.filter((backend) => !backend.disabled);
  const servers = enabled.filter(({ transport, shared }) => transport.type === 'stdio' && shared !== true).length;
  if (servers > limits.childrenPerSession) {
    throw new UsageError(
      `${servers} stdio backends are too many: each session starts its own, at most ${limits.childrenPerSession}`,
      'put some behind another gateway or a bridge, and take them in as shares',
    );
  }
  const backends = enabled.map((config) => {
    const health = new HealthRecord();
    const backend = backendOf(config, {
      overlayOf: ({ overlay }) => overlayOf(overlay),
      env: options.env,
      by,
      log,
      limits,
      children,
      secrets,
      hide: withoutSecrets,
      connectTimeoutMs: options.config.aggregator.connectTimeoutMs,
      ...watching(config.id, health, log),
    });
    return { backend, health };
  });
  return {
    instance: randomBytes(8).toString('hex'),
    backends,
    filters: new Map(enabled.map((backend) => [backend.id, toolFilter(backend.tools)])),
    naming: naming(enabled, config.aggregator.separator),
    own: { name: config.aggregator.name, version: config.aggregator.version ?? version },
    callTimeoutMs: config.aggregator.callTimeoutMs,
    connectTimeoutMs: config.aggregator.connectTimeoutMs,
    listWaitMs: config.aggregator.listWaitMs,
    limits,
    gauge: callGauge(),
    log,
  };
}

/** How overlays are opened for a gateway. */
export function overlayOptions({
  env,
  identity,
  trust = [],
  config,
  log,
}: Omit<GatewayOptions, 'onLost' | 'overlay' | 'version'>) {
  return { env, identity, trust: [...config.trust, ...trust], log };
}

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { config, overlay, version } = options;
  const settings = sessionSettings(options);
  const book = await openPeerBook({ share: config.share.token, env: options.env, log: options.log });
  const share = await openShare({
    overlay,
    token: config.share.token,
    settings,
    by: `mcp-gateway/${version}`,
    grants: grantsOf(config.share.grants),
    hosts: config.share.hosts,
    book,
    onLost: options.onLost,
  });
  const probes = openProbes(settings);
  const startedAt = Date.now();
  return {
    token: share.token,
    status: async () => {
      const identity = await ownIdentity(overlay);
      return statusOf({ version, overlay: overlay.kind, identity, startedAt, share, settings });
    },
    peers: peersOf(book, share),
    close: async () => {
      await Promise.all([probes.close(), share.close()]);
      await book.close();
      await closeBackends(settings);
    },
  };
}

/** After the sessions: what they had in common. */
export async function closeBackends({ backends }: SessionSettings): Promise<void> {
  await Promise.all(backends.map(({ backend }) => backend.close?.(DONE)));
}
