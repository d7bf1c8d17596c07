// From a configuration to what its sessions are made of: backends with their health, names, filters, limits. What goes on over
// configurations (who we are, what runs, what is sealed) is made once and handed in.

import { randomBytes } from 'node:crypto';
import { UsageError, withoutSecrets } from '@mcp-overlay/cli';
import type { BackendConfig, GatewayConfig, ResolveOptions } from '@mcp-overlay/config';
import { type Overlay, openOverlay, privatePlaces } from '@mcp-overlay/overlay';
import { DONE, type Ledger, LIMITS, type Limits, Sandbox } from '@mcp-overlay/relay';
import type { Alarms } from './alarms/alarms.ts';
import { HealthRecord } from './backend/health.ts';
import { backendOf } from './backend/kinds.ts';
import { watching } from './backend/watch.ts';
import type { GatewayOptions } from './options.ts';
import type { Overload } from './overload/overload.ts';
import type { Pins } from './pins/open.ts';
import { accessOf } from './policy/access.ts';
import type { Allowances } from './policy/allowances.ts';
import { toolFilter } from './policy/filter.ts';
import { callGauge } from './policy/limit.ts';
import type { Policy } from './policy/policy.ts';
import { naming } from './routing/names.ts';
import { StateSeal } from './routing/states.ts';
import { TaskOwners } from './routing/task-owners.ts';
import { hideWritten, secretsOf } from './secrets.ts';
import type { AuditSettings, SessionSettings } from './session/settings.ts';

/** What goes on when another configuration comes into force. */
export interface Lasting {
  readonly secrets: ResolveOptions;
  readonly common: Pick<SessionSettings, 'instance' | 'gauge' | 'overload' | 'stateSeal' | 'taskOwners' | 'ledgerName'>;
  /** Servers that run now, of all sessions. */
  readonly children: { count: number };
  readonly sandbox: Sandbox;
  overlayOf(kind: string | undefined): Promise<Overlay>;
}

export interface SettingsOptions extends Omit<GatewayOptions, 'onLost'> {
  readonly lasting?: Lasting | undefined;
  /** A backend that goes on as it is. */
  keep?(config: BackendConfig): SessionSettings['backends'][number] | undefined;
  readonly policy: Policy;
  /** Where calls go on record; whoever serves nobody has none. */
  readonly audit?: AuditSettings | undefined;
  readonly pins?: Pins | undefined;
  readonly allowances?: Allowances | undefined;
  readonly alarms?: Alarms | undefined;
  readonly ledger?: Ledger | undefined;
}

interface Kept {
  readonly overload?: Overload;
  readonly stateKey?: Buffer;
  readonly ledgerName?: string;
}

export function lastingOf(
  options: Omit<GatewayOptions, 'onLost'>,
  secrets = secretsOf(options),
  { overload, stateKey, ledgerName }: Kept = {},
): Lasting {
  const others = new Map<string, Promise<Overlay>>();
  return {
    secrets,
    common: {
      instance: randomBytes(8).toString('hex'),
      gauge: callGauge(overload?.retryCallMs),
      overload,
      stateSeal: new StateSeal(stateKey),
      ledgerName,
      taskOwners: new TaskOwners(),
    },
    children: { count: 0 },
    sandbox: new Sandbox({
      log: options.log,
      hidden: [...privatePlaces(options.env, options.identity), options.config.file],
    }),
    overlayOf: (kind) => {
      if (kind === undefined || kind === options.overlay.kind) return Promise.resolve(options.overlay);
      const known =
        others.get(kind) ??
        openOverlay({ ...overlayOptions(options), kind: kind as Overlay['kind'] }).then((o) => o.overlay);
      others.set(kind, known);
      return known;
    },
  };
}

export function sessionSettings(options: SettingsOptions): SessionSettings {
  const { config, log, version, audit, allowances, alarms, ledger, lasting = lastingOf(options) } = options;
  const by = `mcp-gateway/${version}`;
  const limits: Limits = { ...LIMITS, ...config.limits };
  const { children, sandbox, secrets, overlayOf, common } = lasting;
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
    const known = options.keep?.(config);
    if (known) return known;
    const health = new HealthRecord();
    const backend = backendOf(config, {
      overlayOf: ({ overlay }) => overlayOf(overlay),
      env: options.env,
      access: options.access,
      by,
      log,
      limits,
      children,
      sandbox,
      secrets,
      hide: withoutSecrets,
      mayWarm: () => common.overload?.mayPrepare() ?? true,
      ...(alarms && { onHostDoubt: (backend, code) => alarms.hostDoubted(backend, code) }),
      connectTimeoutMs: options.config.aggregator.connectTimeoutMs,
      ...watching(config.id, health, log),
    });
    return { backend, health };
  });
  return {
    ...lasting.common,
    backends,
    accessFor: accessFor(config, options.policy),
    ...(allowances && { limitsFor: (principal) => allowances.of(principal) }),
    naming: naming(enabled, config.aggregator.separator),
    own: { name: config.aggregator.name, version: config.aggregator.version ?? version },
    callTimeoutMs: config.aggregator.callTimeoutMs,
    connectTimeoutMs: config.aggregator.connectTimeoutMs,
    listWaitMs: config.aggregator.listWaitMs,
    limits,
    ...(ledger && { ledger, onceSeconds: ledger.seconds }),
    scrubber: options.scrub?.scrubber,
    scrubHits: options.scrub?.hits,
    alarms,
    pins: options.pins,
    ...(audit && { audit }),
    log,
  };
}

function accessFor({ backends }: GatewayConfig, policy: Policy): SessionSettings['accessFor'] {
  const filters = new Map(backends.map((backend) => [backend.id, toolFilter(backend.tools)]));
  return (principal, session) => accessOf(policy, filters, principal, session);
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

/** After the sessions: what they had in common. */
export async function closeBackends({ backends }: SessionSettings): Promise<void> {
  await Promise.all(backends.map(({ backend }) => backend.close?.(DONE)));
}
