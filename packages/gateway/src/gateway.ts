// Read first: joins everything. Configuration + overlay -> backends with their health -> a share whose sessions each get
// their own backend sessions -> an admin socket that tells how it is.

import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { UsageError } from '@mcp-overlay/cli';
import type { GatewayConfig } from '@mcp-overlay/config';
import { grantsOf, type Overlay, OWNER, openOverlay, openPeerBook, ownIdentity } from '@mcp-overlay/overlay';
import { DONE, LIMITS, type Limits } from '@mcp-overlay/relay';
import { openConfiguredAudit } from './audit/configured.ts';
import { recordAdmin } from './audit/lives.ts';
import { HealthRecord } from './backend/health.ts';
import { backendOf } from './backend/kinds.ts';
import { watching } from './backend/watch.ts';
import type { GatewayLog } from './call/log.ts';
import { type Peers, peersOf } from './peers.ts';
import { accessOf } from './policy/access.ts';
import { toolFilter } from './policy/filter.ts';
import { callGauge } from './policy/limit.ts';
import { loadPolicy } from './policy/load-policy.ts';
import type { Policy } from './policy/policy.ts';
import { naming } from './routing/names.ts';
import { openProbes } from './session/probe.ts';
import type { AuditSettings, SessionSettings } from './session/settings.ts';
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
  /** An audit log that was changed is left, and another begun. */
  readonly acceptBroken?: boolean;
  readonly log: GatewayLog;
  onLost(error: Error): void;
}

export interface Gateway {
  readonly token: string;
  status(): Promise<GatewayStatus>;
  readonly peers: Peers;
  close(): Promise<void>;
}

export interface SettingsOptions extends Omit<GatewayOptions, 'onLost'> {
  readonly policy: Policy;
  /** Where calls go on record; whoever serves nobody has none. */
  readonly audit?: AuditSettings | undefined;
}

export function sessionSettings(options: SettingsOptions): SessionSettings {
  const { config, log, version, audit } = options;
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
      connectTimeoutMs: options.config.aggregator.connectTimeoutMs,
      ...watching(config.id, health, log),
    });
    return { backend, health };
  });
  const filters = new Map(enabled.map((backend) => [backend.id, toolFilter(backend.tools)]));
  return {
    instance: randomBytes(8).toString('hex'),
    backends,
    accessFor: (principal, session) => accessOf(options.policy, filters, principal, session),
    naming: naming(enabled, config.aggregator.separator),
    own: { name: config.aggregator.name, version: config.aggregator.version ?? version },
    callTimeoutMs: config.aggregator.callTimeoutMs,
    connectTimeoutMs: config.aggregator.connectTimeoutMs,
    listWaitMs: config.aggregator.listWaitMs,
    limits,
    gauge: callGauge(),
    ...(audit && { audit }),
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
  const { config, version, env, log } = options;
  const audit = await openConfiguredAudit(config, {
    env,
    by: `mcp-gateway/${version}`,
    acceptBroken: options.acceptBroken ?? false,
    onTrouble: (trouble) => log.warn({ trouble: trouble ?? 'none' }, 'audit log'),
  });
  try {
    return await begin(options, audit);
  } catch (error) {
    await audit?.log.close();
    throw error;
  }
}

async function begin(options: GatewayOptions, audit: AuditSettings | undefined): Promise<Gateway> {
  const { config, overlay, version } = options;
  const book = await openPeerBook({ share: config.share.token, env: options.env, log: options.log });
  const handRole = (id: string): string | undefined => {
    const record = book.get(id);
    return record?.decision === 'allowed' ? record.role : undefined;
  };
  const policy = await loadPolicy(config, { handRole });
  const settings = sessionSettings({ ...options, policy, audit });
  await audit?.log.append({ type: 'config.apply', digest: await digestOf(config.file) });
  const share = await openShare({
    overlay,
    token: config.share.token,
    settings,
    by: `mcp-gateway/${version}`,
    grants: grantsOf(config.share.grants),
    hosts: config.share.hosts,
    book,
    admits: (principal) => policy.ruled && policy.rolesOf(principal).length > 0,
    rolesOf: (principal) => policy.rolesOf(principal),
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
    peers: peersOf(book, share, {
      roles: config.policy && [...config.policy.roles.keys()],
      record: async (what, id) => {
        if (audit) await recordAdmin(audit.log, what, id, OWNER);
      },
    }),
    close: async () => {
      await Promise.all([probes.close(), share.close()]);
      await book.close();
      await closeBackends(settings);
      await audit?.log.close();
    },
  };
}

/** Of the file as it was read: what it means with which environment is told by nobody. */
async function digestOf(file: string): Promise<string> {
  return `sha256:${createHash('sha256')
    .update(await readFile(file))
    .digest('hex')}`;
}

/** After the sessions: what they had in common. */
export async function closeBackends({ backends }: SessionSettings): Promise<void> {
  await Promise.all(backends.map(({ backend }) => backend.close?.(DONE)));
}
