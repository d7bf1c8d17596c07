// Read first: joins everything. Configuration + overlay -> backends with their health -> a share whose sessions each get
// their own backend sessions -> an admin socket that tells how it is.

import type { GatewayConfig } from '@mcp-overlay/config';
import { OWNER, openPeerBook, ownIdentity } from '@mcp-overlay/overlay';
import { DONE } from '@mcp-overlay/relay';
import { type AlarmControl, alarmControl } from './alarms/control.ts';
import { openAlarms } from './alarms/open-alarms.ts';
import { type Approvals, approvalsOf, auditOf } from './approvals.ts';
import { openConfiguredAudit } from './audit/configured.ts';
import { recordAdmin } from './audit/lives.ts';
import { buildGeneration, type Generation, type World } from './generation.ts';
import { ledgerName, openConfiguredLedger } from './ledger.ts';
import type { GatewayOptions } from './options.ts';
import { openOverload } from './overload/overload.ts';
import { type Peers, peersOf } from './peers.ts';
import { openConfiguredPins } from './pinning.ts';
import { withoutRules } from './policy/no-rules.ts';
import { SeenSecrets } from './reload/credentials.ts';
import { openReloads, type Reloads } from './reload.ts';
import { secretsOf } from './secrets.ts';
import { openProbes } from './session/probe.ts';
import type { AuditSettings } from './session/settings.ts';
import { lastingOf, sessionSettings } from './session-settings.ts';
import { type TokensFor, tokensForShares } from './share-tokens.ts';
import { openShares } from './shares.ts';
import { openStateKey } from './state-key.ts';
import { type GatewayStatus, statusOf } from './status.ts';
import { type Succession, successionOf } from './succession/succession.ts';
import { asReady } from './succession/take-over.ts';
import { troublesOf } from './troubles/look.ts';
import { watchTroubles } from './troubles/trouble.ts';

export interface Gateway {
  readonly token: string;
  status(): Promise<GatewayStatus>;
  readonly peers: Peers;
  readonly tokens: TokensFor;
  readonly reloads: Reloads;
  readonly alarms: AlarmControl;
  readonly approvals: Approvals;
  readonly succession: Succession;
  /** The predecessor has written all that it will ever write. */
  catchUp(): Promise<void>;
  close(): Promise<void>;
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
  const { config, overlay, version, log, env } = options;
  const record = async (what: string, id: string): Promise<void> => {
    if (audit) await recordAdmin(audit.log, what, id, OWNER);
  };
  const unrecorded = (what: string) => (error: unknown) =>
    log.warn({ error: String(error) }, `${what} is not on record`);
  const book = await openPeerBook({ share: config.share.token, env, log });
  const { openScrub } = await import('./scrub/open.ts');
  const scrub = await openScrub({
    config,
    log,
    live: true,
    record: (hit) => void audit?.log.append({ type: 'scrub.hit', ...hit }).catch(unrecorded('scrub hit')),
  });
  const alarms = await openAlarms(config, options);
  // Alarms hear what goes on record, also where nothing does.
  const heard = alarms ? { log: alarms.listen(audit?.log), receipts: audit?.receipts ?? false } : audit;
  const ledger = await openConfiguredLedger(options);
  const seen = new SeenSecrets();
  const overload = openOverload({ log });
  const stateKey = await openStateKey(options);
  const lasting = lastingOf(options, seen.noting(secretsOf(options)), {
    overload,
    stateKey,
    ledgerName: await ledgerName(ledger, overlay),
  });
  const { secrets } = lasting;
  let othersWrite = false;
  const world: World = {
    now: undefined,
    pins: undefined,
    secrets,
    seen,
    scrub,
    surroundings: { env, log, othersWrite: () => othersWrite },
    handRole: (id) => {
      const peer = book.get(id);
      return peer?.decision === 'allowed' ? peer.role : undefined;
    },
    settingsOf: (config, more) =>
      sessionSettings({
        ...options,
        config,
        policy: withoutRules(),
        audit: heard,
        scrub,
        alarms,
        ledger,
        lasting,
        ...more,
      }),
    openPins: (config) =>
      openConfiguredPins(config, {
        env,
        log,
        news: (event) => void audit?.log.append(auditOf(event)).catch(unrecorded('change of a definition')),
      }),
  };
  const first = await buildGeneration(world, config);
  first.apply();
  const now = (): Generation => world.now ?? first.generation;
  await audit?.log.append({ type: 'config.apply', digest: config.digest ?? 'none' });
  const probes = openProbes(now().settings);
  const share = await asReady(options.predecessor, now().settings.backends)
    .then(() =>
      openShares({
        overlay,
        takesOver: (token: string) => options.predecessor?.agrees(token) ?? false,
        token: config.share.token,
        views: first.generation.views,
        rules: first.generation.rules,
        rulesOf: (view) => now().rulesOf(view),
        by: `mcp-gateway/${version}`,
        book,
        onLost: options.onLost,
      }),
    )
    .catch(async (error: unknown) => {
      await probes.close();
      throw error;
    });
  overload.whenShort(share.endIdle);
  const reloads = openReloads({
    world,
    shares: share,
    probes,
    audit: audit?.log,
    log,
    env,
    file: options.file ?? config.file,
  });
  const succession = successionOf({
    share,
    backends: () => now().settings.backends,
    log,
    record,
    flush: async () => void (await Promise.all([book.flush(), now().allowances?.spent.flush(), alarms?.state.flush()])),
    stopWriting: () => {
      othersWrite = true;
      book.stopWriting();
      now().allowances?.spent.stopWriting();
      alarms?.state.stopWriting();
    },
  });
  const troubles = watchTroubles({
    log,
    look: () => {
      const { config, settings, pins } = now();
      const files = { audit: audit?.log, pins, scrub, alarms };
      return troublesOf({ config, overlay: overlay.kind, share, settings, overload, ...files });
    },
  });
  const startedAt = Date.now();
  return {
    token: share.token,
    reloads,
    status: async () => {
      const identity = await ownIdentity(overlay);
      return statusOf({
        version,
        overlay: overlay.kind,
        identity,
        startedAt,
        share,
        config: reloads.status(),
        settings: now().settings,
        leaving: succession.departure()?.status(),
        troubles: troubles.list(),
        overload,
        audit: audit?.log,
        alarms,
        scrub,
        allowances: now().allowances,
        pins: now().pins,
      });
    },
    get peers() {
      return peersOf(book, share, { roles: rolesIn(now().config), record });
    },
    get approvals() {
      return approvalsOf(world.pins, { record, by: OWNER });
    },
    tokens: (view) =>
      tokensForShares(now().books, {
        network: overlay.proofs?.network ?? overlay.kind,
        share: share.token,
        maxTtlMs: now().config.tokens.maxTtlMs,
        roles: rolesIn(now().config),
        onRevoked: share.check,
        record,
      })(view),
    alarms: alarmControl(alarms, record),
    succession,
    catchUp: async () => now().allowances?.spent.catchUp(),
    close: async () => {
      troubles.close();
      overload.close();
      await reloads.stop();
      await Promise.all([probes.close(), share.close()]);
      await Promise.all([book.close(), now().allowances?.close()]);
      await Promise.all(reloads.backends().map((backend) => backend.close?.(DONE)));
      await ledger.close();
      await world.pins?.close();
      await Promise.all([scrub?.close(), alarms?.close()]);
      await audit?.log.close();
    },
  };
}

/** undefined: there are no rules. */
export function rolesIn({ policy }: Pick<GatewayConfig, 'policy'>): readonly string[] | undefined {
  return policy && [...policy.roles.keys()];
}
