// Read first: joins everything. Configuration + overlay -> backends with their health -> a share whose sessions each get
// their own backend sessions -> an admin socket that tells how it is.

import { randomBytes } from 'node:crypto';
import { UsageError, withoutSecrets } from '@mcp-overlay/cli';
import type { GatewayConfig, SecretString } from '@mcp-overlay/config';
import {
  type AccessSource,
  grantsOf,
  type Overlay,
  OWNER,
  openIssuers,
  openOverlay,
  openPeerBook,
  ownIdentity,
} from '@mcp-overlay/overlay';
import { DONE, LIMITS, type Limits } from '@mcp-overlay/relay';
import type { Alarms } from './alarms/alarms.ts';
import { type AlarmControl, alarmControl } from './alarms/control.ts';
import { openAlarms } from './alarms/open-alarms.ts';
import { type Approvals, approvalsOf, auditOf } from './approvals.ts';
import { openConfiguredAudit } from './audit/configured.ts';
import { recordAdmin } from './audit/lives.ts';
import { HealthRecord } from './backend/health.ts';
import { backendOf } from './backend/kinds.ts';
import { watching } from './backend/watch.ts';
import type { GatewayLog } from './call/log.ts';
import { type Overload, openOverload } from './overload/overload.ts';
import { type Peers, peersOf } from './peers.ts';
import { openConfiguredPins } from './pinning.ts';
import type { Pins } from './pins/open.ts';
import { accessOf } from './policy/access.ts';
import type { Allowances } from './policy/allowances.ts';
import { toolFilter } from './policy/filter.ts';
import { callGauge } from './policy/limit.ts';
import { openAllowances } from './policy/open-allowances.ts';
import { openPolicy } from './policy/open-policy.ts';
import type { Policy } from './policy/policy.ts';
import { naming } from './routing/names.ts';
import { StateSeal } from './routing/states.ts';
import { TaskOwners } from './routing/task-owners.ts';
import type { Scrubbing } from './scrub/open.ts';
import { hideWritten, secretsOf } from './secrets.ts';
import { openProbes } from './session/probe.ts';
import type { AuditSettings, SessionSettings } from './session/settings.ts';
import { openShareBooks, type TokensFor, tokensForShares } from './share-tokens.ts';
import { openShares } from './shares.ts';
import { type GatewayStatus, statusOf } from './status.ts';
import { type Succession, successionOf } from './succession/succession.ts';
import { asReady, type Predecessor } from './succession/take-over.ts';
import { troublesOf } from './troubles/look.ts';
import { watchTroubles } from './troubles/trouble.ts';

export interface GatewayOptions {
  readonly config: GatewayConfig;
  readonly overlay: Overlay;
  readonly env: NodeJS.ProcessEnv;
  /** What `--identity` names: for shares on other overlays than the gateway's own. */
  readonly identity?: string | undefined;
  /** Trust files of the command line, beside those of the configuration. */
  readonly trust?: readonly string[] | undefined;
  /** A token for shares behind us that name none of their own. */
  readonly access?: AccessSource | undefined;
  readonly version: string;
  /** An audit log that was changed is left, and another begun. */
  readonly acceptBroken?: boolean;
  readonly log: GatewayLog;
  /** What looks through texts of servers; absent: nothing does. */
  readonly scrub?: Scrubbing | undefined;
  /** Of a vault that wants one. Absent: nobody is at a terminal. */
  readonly passphrase?: (() => Promise<SecretString>) | undefined;
  /** Who has the share now and agreed to lose it. */
  readonly predecessor?: Predecessor | undefined;
  onLost(error: Error): void;
}

export interface Gateway {
  readonly token: string;
  status(): Promise<GatewayStatus>;
  readonly peers: Peers;
  readonly tokens: TokensFor;
  readonly alarms: AlarmControl;
  readonly approvals: Approvals;
  readonly succession: Succession;
  close(): Promise<void>;
}

export interface SettingsOptions extends Omit<GatewayOptions, 'onLost'> {
  readonly policy: Policy;
  /** Where calls go on record; whoever serves nobody has none. */
  readonly audit?: AuditSettings | undefined;
  readonly pins?: Pins | undefined;
  readonly allowances?: Allowances | undefined;
  readonly alarms?: Alarms | undefined;
  readonly overload?: Overload | undefined;
}

export function sessionSettings(options: SettingsOptions): SessionSettings {
  const { config, log, version, audit, allowances, alarms, overload } = options;
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
      access: options.access,
      by,
      log,
      limits,
      children,
      secrets,
      hide: withoutSecrets,
      ...(alarms && { onHostDoubt: (backend, code) => alarms.hostDoubted(backend, code) }),
      connectTimeoutMs: options.config.aggregator.connectTimeoutMs,
      ...watching(config.id, health, log),
    });
    return { backend, health };
  });
  return {
    instance: randomBytes(8).toString('hex'),
    backends,
    accessFor: accessFor(config, options.policy),
    ...(allowances && { limitsFor: (principal) => allowances.of(principal) }),
    naming: naming(enabled, config.aggregator.separator),
    own: { name: config.aggregator.name, version: config.aggregator.version ?? version },
    callTimeoutMs: config.aggregator.callTimeoutMs,
    connectTimeoutMs: config.aggregator.connectTimeoutMs,
    listWaitMs: config.aggregator.listWaitMs,
    limits,
    gauge: callGauge(overload?.retryCallMs),
    overload,
    stateSeal: new StateSeal(),
    taskOwners: new TaskOwners(),
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

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { config, version, env, log } = options;
  const audit = await openConfiguredAudit(
    { ...config, secrets: secretsOf(options) },
    {
      env,
      by: `mcp-gateway/${version}`,
      acceptBroken: options.acceptBroken ?? false,
      onTrouble: (trouble) => log.warn({ trouble: trouble ?? 'none' }, 'audit log'),
    },
  );
  try {
    return await begin(options, audit);
  } catch (error) {
    await audit?.log.close();
    throw error;
  }
}

async function begin(options: GatewayOptions, audit: AuditSettings | undefined): Promise<Gateway> {
  const { config, overlay, version, log } = options;
  const record = async (what: string, id: string): Promise<void> => {
    if (audit) await recordAdmin(audit.log, what, id, OWNER);
  };
  const book = await openPeerBook({ share: config.share.token, env: options.env, log: options.log });
  const handRole = (id: string): string | undefined => {
    const peer = book.get(id);
    return peer?.decision === 'allowed' ? peer.role : undefined;
  };
  const policy = await openPolicy(config, { handRole });
  const { openScrub } = await import('./scrub/open.ts');
  const scrub = await openScrub({
    config,
    log,
    record: (hit) => {
      audit?.log
        .append({ type: 'scrub.hit', ...hit })
        .catch((error: unknown) => log.warn({ error: String(error) }, 'scrub hit is not on record'));
    },
  });
  const allowances = await openAllowances(config, options);
  const alarms = await openAlarms(config, options);
  // Alarms hear what goes on record, also where nothing does.
  const heard = alarms ? { log: alarms.listen(audit?.log), receipts: audit?.receipts ?? false } : audit;
  const pins = await openConfiguredPins(config, {
    env: options.env,
    log,
    news: (event) => {
      audit?.log
        .append(auditOf(event))
        .catch((error: unknown) => log.warn({ error: String(error) }, 'change of a definition is not on record'));
    },
  });
  const overload = openOverload({ log });
  const settings = sessionSettings({ ...options, policy, audit: heard, scrub, allowances, alarms, pins, overload });
  const books = await openShareBooks(config, config.share.token, secretsOf(options));
  const issuers = config.issuers.length === 0 ? undefined : await openIssuers({ issuers: config.issuers, log });
  await audit?.log.append({ type: 'config.apply', digest: config.digest ?? 'none' });
  const probes = openProbes(settings);
  const opening = asReady(options.predecessor, settings.backends).then(() =>
    openShares({
      overlay,
      token: config.share.token,
      policy,
      settingsFor: (policy) => ({ ...settings, accessFor: accessFor(config, policy) }),
      takeOver: options.predecessor !== undefined,
      by: `mcp-gateway/${version}`,
      grants: grantsOf(config.share.grants),
      hosts: config.share.hosts,
      book,
      accessFor: (view) => {
        const book = view === undefined ? books.own : books.views.get(view)?.book;
        if (!book) throw new TypeError(`no view ${view}`);
        return { book, issuers, rules: policy.ruled };
      },
      onLost: options.onLost,
    }),
  );
  const share = await opening.catch(async (error: unknown) => {
    await probes.close();
    throw error;
  });
  const succession = successionOf({ share, backends: settings.backends, log, record });
  overload.whenShort(share.endIdle);
  const troubles = watchTroubles({
    log,
    look: () =>
      troublesOf({ config, overlay: overlay.kind, share, settings, audit: audit?.log, pins, scrub, alarms, overload }),
  });
  const startedAt = Date.now();
  return {
    token: share.token,
    status: async () => {
      const identity = await ownIdentity(overlay);
      return statusOf({
        version,
        overlay: overlay.kind,
        identity,
        startedAt,
        share,
        settings,
        leaving: succession.departure()?.status(),
        troubles: troubles.list(),
        overload,
        audit: audit?.log,
        alarms,
        scrub,
        allowances,
        pins,
      });
    },
    peers: peersOf(book, share, { roles: rolesIn(config), record }),
    approvals: approvalsOf(pins, { record, by: OWNER }),
    succession,
    tokens: tokensForShares(books, {
      network: overlay.proofs?.network ?? overlay.kind,
      share: share.token,
      maxTtlMs: config.tokens.maxTtlMs,
      roles: rolesIn(config),
      onRevoked: share.check,
      record,
    }),
    alarms: alarmControl(alarms, record),
    close: async () => {
      troubles.close();
      overload.close();
      await Promise.all([probes.close(), share.close()]);
      await Promise.all([book.close(), allowances?.close()]);
      await closeBackends(settings);
      await pins?.close();
      await Promise.all([scrub?.close(), alarms?.close()]);
      await audit?.log.close();
    },
  };
}

/** undefined: there are no rules. */
export function rolesIn({ policy }: Pick<GatewayConfig, 'policy'>): readonly string[] | undefined {
  return policy && [...policy.roles.keys()];
}

/** After the sessions: what they had in common. */
export async function closeBackends({ backends }: SessionSettings): Promise<void> {
  await Promise.all(backends.map(({ backend }) => backend.close?.(DONE)));
}
