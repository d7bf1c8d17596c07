// From what the schema read to a GatewayConfig: defaults, rules between keys, ids that must differ. Values that could not
// be read have been reported and are undefined here; what is built then is never seen, because the report ends in a throw.

import { buildIssuers, buildTokens } from './access-shape.ts';
import { buildAlarms } from './alarms-shape.ts';
import { buildAudit } from './audit-shape.ts';
import { buildChildren } from './children-shape.ts';
import {
  type BackendConfig,
  compact,
  DEFAULTS,
  type GatewayConfig,
  type ToolFilterConfig,
  type TransportConfig,
} from './config.ts';
import type { Spot } from './errors.ts';
import { buildInject, type InjectSurroundings } from './inject-shape.ts';
import { buildAllowances } from './limits-shape.ts';
import { quoteText } from './node.ts';
import { buildOnce } from './once-shape.ts';
import { buildPins } from './pins-shape.ts';
import { buildPolicy } from './policy-build.ts';
import { buildReload } from './reload-shape.ts';
import type { RawBackend, RawGateway, RawTools } from './schema.ts';
import { buildOverride, buildScrub } from './scrub-shape.ts';
import type { Reading } from './shape.ts';
import { buildTransport } from './transport.ts';

export function buildGateway(raw: RawGateway, file: string, reading: Reading): GatewayConfig {
  const { share, aggregator } = raw;
  const connection = aggregator?.connection;
  if (share?.given.has('token') && raw.given.has('share_token')) {
    reading.report.problem(raw.spotOf('share_token'), 'share_token and share.token are the same key');
  }
  const policy = buildPolicy({ ...raw, token: share?.token ?? raw.share_token }, idsOf(raw), reading);
  const isOf = (name: string) => policy?.identities.find((identity) => identity.name === name)?.is;
  const config: GatewayConfig = {
    format: reading.format,
    file,
    share: {
      ...compact({ token: share?.token ?? raw.share_token, overlay: share?.overlay }),
      mode: 'closed',
      grants: share?.grants ?? [],
      hosts: share?.hosts ?? [],
    },
    aggregator: {
      ...compact({ name: aggregator?.name, version: aggregator?.version }),
      separator: aggregator?.separator ?? DEFAULTS.separator,
      connectTimeoutMs: connection?.connect_timeout ?? DEFAULTS.connectTimeoutMs,
      callTimeoutMs: connection?.call_timeout ?? DEFAULTS.callTimeoutMs,
      listWaitMs: connection?.list_wait ?? DEFAULTS.listWaitMs,
    },
    backends: (raw.backends ?? []).map((backend) => buildBackend(backend, isOf, reading)),
    trust: raw.trust ?? [],
    tokens: buildTokens(raw.tokens),
    issuers: buildIssuers(raw.issuers),
    limits: compact({
      messageBytes: raw.limits?.message_bytes,
      sessions: raw.limits?.sessions,
      callsPerSession: raw.limits?.calls_per_session,
      callsInAll: raw.limits?.calls_in_all,
      callsQueued: raw.limits?.calls_queued,
      toolsPerBackend: raw.limits?.tools_per_backend,
      definitionBytes: raw.limits?.definition_bytes,
    }),
    ...compact({
      logFile: raw.log_file,
      audit: raw.audit && buildAudit(raw.audit),
      policy,
      allowances: buildAllowances(raw.limits, raw.backends ?? [], policy?.identities ?? [], reading),
      vault: raw.secrets?.vault && compact({ path: raw.secrets.vault.path, key: raw.secrets.vault.key }),
      scrub: raw.scrub && buildScrub(raw.scrub),
      alarms: raw.alarms && buildAlarms(raw.alarms, idsOf(raw), reading),
      pins: raw.pins && buildPins(raw.pins),
      once: raw.once && buildOnce(raw.once),
      reload: raw.reload && buildReload(raw.reload),
    }),
  };
  if (raw.secrets?.inline === 'refuse') reading.report.refuse('inline-secret');
  checkIds(raw, reading);
  checkScrubbed(raw, reading);
  checkAnyEnabled(config.backends, raw.given.has('backends') ? raw.spotOf('backends') : undefined, reading);
  noteDifferences(raw, reading);
  return config;
}

function idsOf(raw: RawGateway): readonly string[] {
  return (raw.backends ?? []).flatMap(({ id }) => id ?? []);
}

export function checkAnyEnabled(backends: readonly BackendConfig[], spot: Spot | undefined, { report }: Reading): void {
  if (spot === undefined || report.failed() || backends.some((backend) => !backend.disabled)) return;
  report.problem(
    spot,
    `expected at least one backend${backends.length > 0 ? ' that is not disabled' : ' (got an empty list)'}`,
  );
}

/** An empty allow list allows nothing: said, because in the original it lets everything through. */
export function buildTools(
  raw: Pick<RawTools, 'mode' | 'list'>,
  spot: Spot,
  { report, format }: Reading,
): ToolFilterConfig {
  const filter: ToolFilterConfig = { mode: raw.mode ?? 'allow', list: raw.list ?? [] };
  if (filter.mode === 'allow' && filter.list.length === 0 && !report.failed()) {
    const before = format === 'original' ? ' (the Go original showed all)' : '';
    report.note(spot, 'differs', `the allow list is empty: none of its tools is shown${before}`);
  }
  return filter;
}

function buildBackend(raw: RawBackend, isOf: InjectSurroundings['identity'], reading: Reading): BackendConfig {
  const id = raw.id ?? '';
  const disabled = raw.disabled ?? false;
  const transport = buildTransport(raw.transport, reading);
  if (disabled) reading.report.note(raw.spotOf('disabled'), 'disabled', `backend ${id} is disabled`);
  if (raw.shared === true && raw.transport?.type !== undefined && raw.transport.type !== 'stdio') {
    const where = raw.transport.type === 'share' || raw.transport.type === 'zrok' ? ': say --shared to its bridge' : '';
    reading.report.problem(raw.spotOf('shared'), `belongs to type stdio, not ${raw.transport.type}${where}`);
  }
  return {
    id,
    name: raw.name ?? id,
    transport,
    disabled,
    ...buildChildren(raw, { transport, ...compact({ shared: raw.shared, era: raw.era }) }, reading),
    ...compact({
      prefix: raw.prefix,
      tools: raw.tools && buildTools(raw.tools, raw.spotOf('tools'), reading),
      connectTimeoutMs: raw.connect_timeout,
      callTimeoutMs: raw.call_timeout,
      shared: raw.shared,
      era: raw.era,
      inject: buildInject(raw.inject, surroundingsOf(transport, isOf), reading),
      scrub: raw.scrub && buildOverride(raw.scrub),
      pins: raw.pins,
      mayRunTwice: raw.retry?.safe,
    }),
  };
}

function surroundingsOf(transport: TransportConfig, identity: InjectSurroundings['identity']): InjectSurroundings {
  const env = transport.type === 'stdio' ? transport.env : {};
  const headers = transport.type === 'http' ? transport.headers : {};
  return { type: transport.type, transport: { env, headers }, identity };
}

/** An override for a backend that is not there would look as if it did something. */
function checkScrubbed({ scrub, backends }: RawGateway, { report }: Reading): void {
  const ids = new Set((backends ?? []).map(({ id }) => id));
  for (const tool of scrub && 'tools' in scrub ? (scrub.tools ?? []) : []) {
    if (tool.backend === undefined || ids.has(tool.backend)) continue;
    report.problem(tool.spotOf('backend'), `no backend is called ${quoteText(tool.backend)}`);
  }
}

function checkIds(raw: RawGateway, { report }: Reading): void {
  const first = new Map<string, Spot>();
  for (const backend of raw.backends ?? []) {
    if (backend.id === undefined) continue;
    const spot = backend.spotOf('id');
    const before = first.get(backend.id);
    if (before) report.problem(spot, `id ${quoteText(backend.id)} is used twice`, `first on line ${before.line}`);
    else first.set(backend.id, spot);
  }
}

function noteDifferences(raw: RawGateway, { report, format }: Reading): void {
  if (raw.given.has('orchestrator')) {
    report.note(raw.spotOf('orchestrator'), 'differs', 'managed mode is not spoken: nothing connects to this socket');
  }
  const separator = raw.aggregator?.separator;
  if (raw.aggregator && separator !== undefined && /[^A-Za-z0-9_-]/.test(separator)) {
    const spot = raw.aggregator.spotOf('separator');
    report.note(
      spot,
      'differs',
      `${quoteText(separator)} becomes "${separator.replace(/[^A-Za-z0-9_-]/g, '_')}" in names: agents accept letters, digits, _ and - only`,
    );
  }
  if (format === 'original' && separator === undefined) {
    const spot = raw.spotOf('aggregator');
    report.note(
      { ...spot, key: 'aggregator.separator' },
      'differs',
      'names are joined by __ (the Go original: _; separator: _ keeps that)',
    );
  }
}
