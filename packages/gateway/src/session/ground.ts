// What a session of either era stands on: what its client may see and do, under which names, and the parts of catalogue,
// pipeline and backend sessions that do not depend on the era. The sessions add what they know of their clients.

import { createHash } from 'node:crypto';
import type { Era, Transport } from '@mcp-overlay/relay';
import type { Backend } from '../backend/backend.ts';
import { BackendSession, type BackendSessionOptions } from '../backend/backend-session.ts';
import type { HealthRecord } from '../backend/health.ts';
import type { PipelineOptions } from '../pipeline.ts';
import type { CatalogOptions } from '../routing/catalog.ts';
import type { Naming } from '../routing/names.ts';
import { prefixedTaskIds, singleTaskIds } from '../routing/task-ids.ts';
import { prefixedUris, UNCHANGED, type UriNaming } from '../routing/uris.ts';
import type { SessionPins } from './pinning.ts';
import { scrubFor } from './scrubbing.ts';
import { callAudit, type SessionOriginInfo, type SessionSettings } from './settings.ts';
import { SlowBackends } from './slow-backends.ts';

type Opening = (backend: Backend, health: HealthRecord) => BackendSession;

export type Ground = ReturnType<typeof groundOf>;

export function groundOf(client: Transport, info: SessionOriginInfo, settings: SessionSettings) {
  const { limits, log } = settings;
  const backends = [...settings.backends];
  const configured = backends.map(({ backend }) => backend.id);
  const [only] = backends;
  /** Only one is configured, whoever may have it. */
  const single = backends.length === 1 && only !== undefined;
  const names = { naming: settings.naming, uris: single ? UNCHANGED : prefixedUris(configured) };
  const naming: Naming = { prefixOf: (id) => names.naming.prefixOf(id) };
  const uris: UriNaming = {
    toPublic: (backend, uri) => names.uris.toPublic(backend, uri),
    toNative: (uri) => names.uris.toNative(uri),
  };
  /** Those that this client may have something of. */
  const opened = new Set<Backend>();
  const tasks = single ? singleTaskIds(only.backend.id) : prefixedTaskIds();
  const access = settings.accessFor(info.principal, info.number);
  const caller = settings.limitsFor?.(info.principal);
  const audit = callAudit(settings, info);
  const scrub = scrubFor(settings, info);
  const slow = new SlowBackends(client, (backend) =>
    log.warn({ session: info.number, backend }, 'backend does not read'),
  );

  const catalog = {
    naming,
    uris,
    access,
    limits,
    decoys: settings.alarms?.decoys,
    look: scrub,
    listed: (id, { member }, why) => {
      if (why !== undefined) log.warn({ backend: id, list: member, why }, 'list incomplete');
      backends.find(({ backend }) => backend.id === id)?.health.listed(member, why);
    },
    hid: (backend, { member }, why) => log.warn({ backend, list: member, why }, 'list incomplete'),
    patienceMs: settings.listWaitMs,
    pageMs: settings.callTimeoutMs,
  } satisfies Partial<CatalogOptions>;

  const pipeline = {
    audit,
    configured,
    naming,
    uris,
    tasks,
    access,
    caller,
    scrub,
    brake: settings.alarms?.brake?.stage(info.principal.id),
    unchanged: single,
    gauge: settings.gauge,
    limits,
    callTimeoutMs: settings.callTimeoutMs,
    patienceMs: settings.listWaitMs,
  } satisfies Partial<PipelineOptions>;

  const openBackends = (open: Opening): BackendSession[] => {
    const fresh = backends.filter(({ backend }) => !opened.has(backend) && access.reaches(backend.id));
    for (const { backend } of fresh) opened.add(backend);
    return fresh.map(({ backend, health }) => open(backend, health));
  };

  return {
    single,
    uris,
    tasks,
    access,
    caller,
    audit,
    scrub,
    slow,
    catalog,
    pipeline,
    /** Sessions with those backends of which this client may have anything. */
    openBackends,
    /** The configuration has more by now, and what was there is as it was: sessions with those that this client may have
     *  something of and has not yet. */
    gain: (now: SessionSettings, open: Opening): BackendSession[] => {
      const ids = now.backends.map(({ backend }) => backend.id);
      backends.splice(0, backends.length, ...now.backends);
      configured.splice(0, configured.length, ...ids);
      Object.assign(names, { naming: now.naming, uris: single ? UNCHANGED : prefixedUris(ids) });
      return openBackends(open);
    },
    openBackend: (
      era: Era,
      { backend, health }: { readonly backend: Backend; readonly health: HealthRecord },
      pinned: SessionPins | undefined,
      events: BackendSessionOptions['events'],
    ): BackendSession =>
      new BackendSession({
        backend,
        health,
        seen: (greeting, from) => {
          const shown = pinned?.greeted(from, greeting) ?? greeting;
          return scrub?.welcome(backend.id, shown) ?? shown;
        },
        origin: {
          session: sessionAt(backend.id, era, info),
          via: info.via,
          era,
          principal: info.principal.id,
          caller: info.principal,
        },
        ledger: settings.ledger,
        connectTimeoutMs: backend.config.connectTimeoutMs ?? settings.connectTimeoutMs,
        log,
        events,
      }),
  };
}

/** One session has one link: a host that still has its servers must know which of ours comes back. The same after a restart. */
function sessionAt(backend: string, era: Era, { handOn }: SessionOriginInfo): string {
  return createHash('sha256').update(`${handOn}\n${era}\n${backend}`).digest('hex').slice(0, 32);
}
