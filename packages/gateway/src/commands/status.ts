// `mcp-gateway status [TOKEN]`: how a running gateway is, read from its admin socket.

import {
  type Command,
  displaySafe,
  displaySafeLines,
  EXIT,
  type Flags,
  print,
  printJson,
  printTable,
} from '@mcp-overlay/cli';
import { askAdmin, askLeaving } from '../admin/client.ts';
import type { BackendStatus, GatewayStatus } from '../status.ts';
import { openLine } from './drain.ts';

export const statusCommand: Command = {
  usage: 'status [token]',
  describe: 'sessions, backends and calls of a running gateway',
  positionals: { token: { type: 'string', describe: 'its share, only if several run' } },
  options: { json: { type: 'boolean', describe: 'for programs' } },
  run: async (flags: Flags) => {
    const token = typeof flags.token === 'string' ? flags.token : undefined;
    const status = (await askAdmin('status', token, process.env)) as GatewayStatus;
    const before = (await askLeaving({ command: 'status' }, status.share, process.env)) as GatewayStatus[];
    if (flags.json === true) printJson({ ...status, predecessors: before });
    else show(status, before);
    return EXIT.done;
  },
};

/** Of one that leaves: until when, and what it still has to do. */
function leavingLines({ leaving, pid }: GatewayStatus, who: string): string[] {
  if (!leaving) return [];
  const { since, until, open, successor } = leaving;
  const to = successor === undefined ? '' : ` to pid ${successor}`;
  const left = `${who} pid ${pid} has been leaving${to} since ${since}, at most until ${until}`;
  return [`${left}; ${open.length} calls open there`, ...open.map(openLine)];
}

/** In plain words: what, since when, what is done about it, what to do. */
function troubleLines({ troubles = [] }: GatewayStatus): string[] {
  return troubles.flatMap(({ about, failed, since, doing, remedy, said = [] }) => [
    displaySafe(`not well: ${about}, since ${since}: ${failed}`),
    ...said.map((line) => displaySafe(`  it said: ${line}`)),
    displaySafe(`  ${doing}`),
    displaySafe(`  to do: ${remedy}`),
  ]);
}

/** What is in force; and where another could not be taken over: when, why, what to do. */
function configLines({ config: { file, since, failed, draining } }: GatewayStatus): string[] {
  const going = draining === 0 ? '' : `, ${draining} sessions go on as they began before`;
  const lines = [`config ${file} since ${since}${going}`];
  if (failed) lines.push(`config: last reload failed at ${failed.at}: ${failed.why}`, `  ${failed.remedy}`);
  return lines;
}

function auditLine({ audit }: GatewayStatus): string {
  if (!audit) return 'audit off';
  const { head, path, durability, trouble } = audit;
  const wrong = trouble === undefined ? '' : `, in trouble: ${trouble}`;
  return `audit ${path}, ${durability}, up to record ${head.seq} ${head.hash}${wrong}`;
}

/** Said wherever it is named: what no rule knows passes. */
function scrubLine({ scrub }: GatewayStatus): string {
  if (!scrub) return 'scrub off';
  const { purpose, configured, hits, trouble } = scrub;
  const found = Object.values(hits).reduce((sum, count) => sum + count, 0);
  const wrong = trouble === undefined ? '' : `, old patterns in force: ${trouble}`;
  return `scrub ${configured ? 'as configured' : 'records only'} (${purpose}), ${found} hits${wrong}`;
}

/** What refused somebody lately. */
function limitLines({ limits = [] }: GatewayStatus): string[] {
  return limits
    .filter(({ lastRefused }) => lastRefused !== undefined)
    .map(({ limit, who, refused, lastRefused, used, of }) => {
      const whose = who === undefined ? '' : ` of ${who}`;
      return `limit ${limit}${whose} refused ${refused}, last ${lastRefused}; ${used} of ${of} used`;
    });
}

/** Those that go on; nothing where all is quiet. */
function alarmLines({ alarms }: GatewayStatus): string[] {
  const lines = (alarms?.open ?? []).map(({ id, rule, ident, backend, target, count, since, last, silencedUntil }) => {
    const whose = ident === undefined ? '' : ` of ${ident}`;
    const where = [backend, target].filter((word) => word !== undefined).join('/');
    const silenced = silencedUntil === undefined ? '' : `, silenced until ${silencedUntil}`;
    return `alarm ${id} ${rule}${whose}${where === '' ? '' : ` at ${where}`}, ${count} times, since ${since}, last ${last}${silenced}`;
  });
  const undelivered = alarms?.undelivered ?? 0;
  return undelivered === 0 ? lines : [...lines, `${undelivered} alarms were not delivered`];
}

function show(status: GatewayStatus, before: readonly GatewayStatus[]): void {
  const { share, views, overlay, version, pid, identity, startedAt, calls } = status;
  print(`${share} on ${overlay}, mcp-gateway ${version}, pid ${pid}, since ${startedAt}\n`);
  if (identity !== undefined) {
    const who = 'id' in identity ? identity.id : `unproven: ${identity.unproven}`;
    print(`identity ${who}\n`);
  }
  for (const { view, token } of views) print(`${token} shows view ${view}\n`);
  for (const line of leavingLines(status, 'this gateway,')) print(`${line}\n`);
  for (const line of before.flatMap((one) => leavingLines(one, 'the one before,'))) print(`${line}\n`);
  for (const line of troubleLines(status)) print(`${line}\n`);
  print(`${calls.open} calls open, ${calls.waiting} waiting\n`);
  for (const line of configLines(status)) print(`${displaySafeLines(line)}\n`);
  print(`${auditLine(status)}\n`);
  print(`${scrubLine(status)}\n`);
  for (const line of [...limitLines(status), ...alarmLines(status)]) print(`${line}\n`);
  print('\n');
  printTable(
    ['backend', 'kind', 'speaks', 'state', 'servers', 'since', 'calls', 'restarts', 'reason'],
    status.backends.map((b) => [
      b.id,
      b.kind,
      spoken(b.protocol),
      b.state,
      runningOf(b),
      new Date(b.since).toISOString(),
      String(b.calls),
      String(b.restarts),
      b.reason ?? Object.values(b.incomplete).join('; '),
    ]),
  );
  for (const { backend, list, name, why } of status.pins?.waiting ?? []) {
    print(`\n${list} ${displaySafe(`${backend}/${name}`)}: ${why}, hidden until mcp-gateway approve`);
  }
  for (const backend of status.pins?.programs ?? [])
    print(`\n${backend} is another program than the one that was approved`);
  if ((status.pins?.waiting.length ?? 0) + (status.pins?.programs.length ?? 0) > 0) print('\n');
  if (status.pins?.trouble !== undefined) print(`\nlock file: ${status.pins.trouble}\n`);
  print('\n');
  printTable(
    ['session', 'who', 'with', 'over', 'since', 'calls', 'open', 'sent', 'received', 'breaks', 'resent'],
    status.sessions.map((s) => [
      String(s.number),
      s.name === s.principal || !s.proven ? s.principal : `${s.principal} (${s.name})`,
      s.by ?? '',
      s.protocol,
      s.openedAt,
      String(s.calls),
      String(s.openCalls),
      ...[s.link?.sent, s.link?.received, s.link?.breaks, s.link?.resent].map((count) => String(count ?? '')),
    ]),
  );
}

/** `3`, `3 and 1 spare`, `asleep`. */
function runningOf({ servers }: BackendStatus): string {
  if (servers === undefined) return '';
  const { running, spare, asleep } = servers;
  if (running === 0 && asleep > 0) return 'asleep';
  return spare === 0 ? String(running) : `${running - spare} and ${spare} spare`;
}

/** `legacy 2025-11-25`, `both 2026-07-28`, `modern (configured)`. */
function spoken(protocol: BackendStatus['protocol']): string {
  if (protocol === undefined) return '';
  const { era, revision, from } = protocol;
  return [era, revision, from === 'configured' ? '(configured)' : undefined].filter((word) => word).join(' ');
}
