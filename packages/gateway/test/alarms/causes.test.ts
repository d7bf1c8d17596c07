import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DEFAULT_ALARMS } from '@mcp-overlay/config';
import { Alarms } from '../../src/alarms/alarms.ts';
import { Causes } from '../../src/alarms/causes.ts';
import { alarmControl } from '../../src/alarms/control.ts';
import { detectors } from '../../src/alarms/detectors.ts';
import { Habits, readHabits } from '../../src/alarms/habits.ts';
import { localTime, within } from '../../src/alarms/hours.ts';
import { ALARM_CAPS } from '../../src/alarms/limits.ts';
import { fingerprint, observe, rootOf, shortName } from '../../src/alarms/observed.ts';
import { Recent } from '../../src/alarms/recent.ts';
import { Silences } from '../../src/alarms/silences.ts';
import { openAlarmState } from '../../src/alarms/state.ts';
import { memoryAuditLog } from '../../src/testing/index.ts';
import { QUIET } from './month.ts';
import { called, DAY, HOUR, MONTH_BEGINS } from './town.ts';

const FINDING = { rule: 'loop', ident: 'ziti:a', backend: 'fs', target: 'x', count: 20, seqs: [1], why: 'w' } as const;

test('a cause rings once while it goes on, and again when it was quiet for a while', () => {
  const causes = new Causes(HOUR, new Silences());
  assert.equal(causes.hear(FINDING, 0)?.become, 'ring');
  for (let at = 0; at < 5 * HOUR; at += HOUR / 2) assert.equal(causes.hear(FINDING, at), undefined);
  assert.equal(causes.open(5 * HOUR)[0]?.count, 30);
  assert.equal(causes.hear(FINDING, 7 * HOUR)?.become, 'ring');
  assert.equal(causes.open(7 * HOUR)[0]?.count, 20);
});

test('what is silenced is put on record once, and rings when the silence ends and it goes on', () => {
  const silences = new Silences();
  const causes = new Causes(HOUR, silences);
  silences.add({ what: 'loop', ident: 'ziti:a', until: 2 * HOUR }, 0);
  assert.equal(causes.hear(FINDING, 0)?.become, 'silenced');
  assert.equal(causes.hear(FINDING, HOUR / 2), undefined);
  assert.equal(causes.hear(FINDING, HOUR), undefined);
  assert.equal(causes.hear({ ...FINDING, ident: 'ziti:b' }, HOUR)?.become, 'ring', 'of another identity');
  assert.equal(causes.hear(FINDING, 1.9 * HOUR), undefined);
  assert.equal(causes.hear(FINDING, 2.1 * HOUR)?.become, 'ring');
  assert.equal(causes.hear(FINDING, 2.2 * HOUR), undefined);
});

test('causes, silences and counters are bounded', () => {
  const silences = new Silences();
  const causes = new Causes(HOUR, silences);
  for (let nr = 0; nr < ALARM_CAPS.causes + 50; nr += 1) causes.hear({ ...FINDING, target: `t${nr}` }, nr);
  assert.equal(causes.open(HOUR / 2).length, ALARM_CAPS.causes);
  for (let nr = 0; nr < ALARM_CAPS.silences; nr += 1) {
    assert.ok(silences.add({ what: 'loop', ident: `ziti:${nr}`, until: 10 }, 0));
  }
  assert.ok(!silences.add({ what: 'loop', until: 10 }, 0));
  assert.ok(silences.add({ what: 'loop', ident: 'ziti:0', until: 20 }, 0), 'the same again');
  assert.ok(silences.add({ what: 'loop', until: 30 }, 15), 'those that are over have left');
  const recent = new Recent(1000);
  for (let nr = 0; nr < ALARM_CAPS.counters + 50; nr += 1) recent.add(`k${nr}`, 0, undefined);
  assert.equal(recent.size, ALARM_CAPS.counters);
});

test('a window counts what is in it and never what is older', () => {
  const recent = new Recent(60_000);
  for (let nr = 1; nr <= 100; nr += 1) {
    const { count } = recent.add('k', nr * 6000, nr);
    assert.ok(count <= 11 && count >= Math.min(nr, 9), `${nr}: ${count}`);
  }
  assert.deepEqual(recent.add('k', 10_000_000, 7), { count: 1, seqs: [7] });
  assert.deepEqual(recent.add('k', 9_000_000, 8), { count: 2, seqs: [7, 8] }, 'a clock set back loses nothing');
});

test('habits: who is new is learned; what an identity never did rings; a tool new to all rings for the first alone', () => {
  const habits = new Habits(7 * DAY);
  const see = (ident: string, backend: string, target: string, day: number) =>
    habits.see({ ident, backend, kind: 'tool', target, method: 'tools/call', wall: day * DAY, mono: 0 })?.rule;
  for (const ident of ['a', 'b']) assert.equal(see(ident, 'fs', 'read', 0), undefined);
  assert.equal(see('a', 'fs', 'write', 6), undefined, 'within the time of learning');
  assert.equal(see('a', 'fs', 'read', 8), undefined);
  assert.equal(see('a', 'fs', 'delete', 8), 'new_tool');
  assert.equal(see('b', 'fs', 'delete', 9), undefined, 'taken up after another');
  assert.equal(see('b', 'fs', 'write', 20), 'new_tool', 'usual for another, and not for it');
  assert.equal(see('b', 'db', 'sql', 20), 'new_backend');
  assert.equal(see('b', 'db', 'drop', 21), undefined, 'the backend is being learned');
  assert.equal(see('c', 'db', 'drop', 21), undefined, 'a new identity');
  const again = new Habits(7 * DAY, readHabits(JSON.parse(JSON.stringify(habits))));
  assert.deepEqual(again.toJSON(), habits.toJSON());
});

test('habits are bounded, whoever calls whatever', () => {
  const habits = new Habits(DAY);
  const base = { backend: 'fs', kind: 'tool', method: 'tools/call', mono: 0 } as const;
  for (let nr = 0; nr < ALARM_CAPS.toolsPerPair + 10; nr += 1) {
    habits.see({ ...base, ident: 'a', target: `t${nr}`, wall: nr });
  }
  assert.equal(habits.see({ ...base, ident: 'a', target: 'one more', wall: 9 * DAY }), undefined, 'no room, no alarm');
  for (let nr = 0; nr < ALARM_CAPS.identities; nr += 1) habits.see({ ...base, ident: `i${nr}`, target: 't', wall: nr });
  const known = habits.toJSON() as { id: string }[];
  assert.equal(known.length, ALARM_CAPS.identities);
  assert.ok(!known.some(({ id }) => id === 'a'), 'the one unseen for longest');
});

test('hours are those of their zone, over changes of the clock and over midnight', () => {
  const berlin = localTime('Europe/Berlin');
  assert.deepEqual(berlin(Date.parse('2026-03-29T00:59:00Z')), { day: 'sun', minutes: 119 });
  assert.deepEqual(berlin(Date.parse('2026-03-29T01:00:00Z')), { day: 'sun', minutes: 180 });
  const day = { fromMinutes: 420, toMinutes: 1200, days: ['mon'], zone: 'UTC', except: [] } as const;
  assert.ok(within(day, 'mon', 420) && !within(day, 'mon', 1200) && !within(day, 'tue', 500));
  const night = { ...day, fromMinutes: 1320, toMinutes: 360 };
  assert.ok(within(night, 'mon', 1400) && within(night, 'tue', 100) && !within(night, 'mon', 100));
});

test('the same arguments have one fingerprint, in whatever order; others have another', () => {
  assert.equal(fingerprint({ a: 1, b: [{ c: 2, d: 3 }] }), fingerprint({ b: [{ d: 3, c: 2 }], a: 1 }));
  assert.notEqual(fingerprint({ a: 1 }), fingerprint({ a: '1' }));
  assert.notEqual(fingerprint(undefined), fingerprint({}));
  assert.equal(fingerprint(JSON.parse('{"__proto__":{"a":1}}')), fingerprint(JSON.parse('{"__proto__":{"a":1}}')));
  assert.notEqual(fingerprint(JSON.parse('{"__proto__":{"a":1}}')), fingerprint({}));
});

test('a narrowed token is the one it was made from, and a long name is cut and stays itself', () => {
  const root = `token:${'a'.repeat(24)}`;
  assert.equal(rootOf(`${root}/${'b'.repeat(24)}`), root);
  assert.equal(rootOf('ziti:a/b'), 'ziti:a/b');
  assert.equal(shortName('x'.repeat(500)).length, ALARM_CAPS.nameChars);
  assert.notEqual(shortName(`${'x'.repeat(500)}1`), shortName(`${'x'.repeat(500)}2`));
});

test('a call counts to one rule: a loop is no flood, and what a dead server refuses is nobody’s guilt', () => {
  const config = { ...DEFAULT_ALARMS, loop: { calls: 3, withinMs: 1000 }, rate: { calls: 6, withinMs: 1000 } };
  const detect = detectors(config, new Habits(DAY));
  const rules = (args: unknown) => {
    const seen = observe(called('a', 'fs', 'read', args), 1, { wall: 0, mono: 0 });
    return seen ? detect(seen).map(({ rule }) => rule) : [];
  };
  const looping = Array.from({ length: 20 }, () => rules({}));
  assert.equal(looping.flat().filter((rule) => rule === 'loop').length, 18);
  assert.ok(!looping.flat().includes('rate'));
  const outcome = { type: 'call.outcome', session: 1, ident: 'a', method: 'tools/call', ms: 0, bytes: 0 } as const;
  const refusals = (code: string) =>
    Array.from({ length: 40 }, () => {
      const seen = observe({ ...outcome, status: 'refused', code }, undefined, { wall: 0, mono: 0 });
      return seen ? detect(seen) : [];
    }).flat().length;
  assert.equal(refusals('backend_unavailable'), 0);
  assert.equal(refusals('looping'), 0);
  assert.equal(refusals('limited'), 11);
});

async function house(more: { readonly state?: string; readonly now?: () => number } = {}) {
  const folder = more.state ?? (await mkdtemp(join(tmpdir(), 'alarms-')));
  const now = more.now ?? (() => MONTH_BEGINS);
  const env = { MCP_OVERLAY_HOME: folder };
  const state = await openAlarmState({ share: 'my-gateway', env, log: QUIET });
  const warned: string[] = [];
  const log = { ...QUIET, warn: (_fields: object, event: string) => void warned.push(event) };
  const alarms = new Alarms({
    config: DEFAULT_ALARMS,
    state,
    outputs: [],
    gateway: 'my-gateway',
    log,
    clock: { wall: now, mono: now },
  });
  const audit = memoryAuditLog();
  const heard = alarms.listen(audit);
  const control = alarmControl(alarms, async (what, target) => {
    await audit.append({ type: 'admin', what, target, by: 'owner' });
  });
  return { folder, file: join(folder, 'alarms', 'my-gateway.json'), alarms, audit, heard, control, warned };
}

test('over a restart nothing rings anew, and silences and habits last', async () => {
  const before = await house();
  try {
    for (let nr = 0; nr < 25; nr += 1) await before.heard.append(called('ziti:a', 'fs', 'read', {}));
    await before.audit.saw(({ type }) => type === 'alarm');
    assert.deepEqual(before.warned, ['alarm']);
    await before.control.silence('rate', undefined, HOUR);
    await before.alarms.close();
    const after = await house({ state: before.folder });
    for (let nr = 0; nr < 25; nr += 1) await after.heard.append(called('ziti:a', 'fs', 'read', {}));
    assert.deepEqual(after.warned, []);
    assert.equal(after.control.list().open[0]?.rule, 'loop');
    assert.deepEqual(after.control.list().silences, [{ what: 'rate', until: MONTH_BEGINS + HOUR }]);
    await after.alarms.close();
    assert.equal(JSON.parse(await readFile(before.file, 'utf8')).habits[0].id, 'ziti:a');
  } finally {
    await rm(before.folder, { recursive: true, force: true });
  }
});

test('a state file that is broken is refused (state_file_invalid), not taken for silence', async () => {
  const { folder, file, alarms } = await house();
  try {
    await alarms.close();
    for (const text of ['{', '{"version":1}', '{"version":1,"habits":[],"causes":[{"id":"x"}],"silences":[]}']) {
      await writeFile(file, text);
      await assert.rejects(house({ state: folder }), { code: 'state_file_invalid' });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('silencing has an end, names what exists, and is on record', async () => {
  const { folder, control, audit, alarms } = await house();
  try {
    await assert.rejects(control.silence('nothing', undefined, HOUR), { code: 'usage' });
    await assert.rejects(control.silence('loop', undefined, 31 * DAY), { code: 'usage' });
    await assert.rejects(control.silence('loop', undefined, Number.NaN), { code: 'usage' });
    await assert.rejects(control.unsilence('loop', undefined), { code: 'usage' });
    await control.silence('loop', 'ziti:a', 2 * HOUR);
    assert.deepEqual((await control.unsilence('loop', 'ziti:a')).silences, []);
    assert.deepEqual(
      audit.events.map((event) => (event.type === 'admin' ? `${event.what} ${event.target}` : event.type)),
      ['alarms silence loop of ziti:a for 2 h', 'alarms unsilence loop of ziti:a'],
    );
    audit.fails = () => true;
    await assert.rejects(control.silence('loop', undefined, HOUR), /disk/);
    assert.deepEqual(control.list().silences, [], 'what is not on record is not silenced');
  } finally {
    await alarms.close();
    await rm(folder, { recursive: true, force: true });
  }
});

test('a host that is not who it was rings once, however often it is dialled', async () => {
  const { folder, alarms, audit, warned } = await house();
  try {
    for (let nr = 0; nr < 10; nr += 1) alarms.hostDoubted('build', 'host_changed');
    const event = await audit.saw(({ type }) => type === 'alarm');
    assert.deepEqual(warned, ['alarm']);
    assert.ok('backend' in event && event.backend === 'build' && 'rule' in event && event.rule === 'host_changed');
  } finally {
    await alarms.close();
    await rm(folder, { recursive: true, force: true });
  }
});

test('with the audit off all is heard, and nothing is kept', async () => {
  const { folder, alarms, warned } = await house();
  try {
    const log = alarms.listen(undefined);
    for (let nr = 0; nr < 25; nr += 1) {
      const receipt = await log.append(called('ziti:a', 'fs', 'read', {}));
      await log.append({
        ...(called('ziti:a', 'fs', 'read', {}) as object),
        type: 'call.outcome',
        of: receipt?.seq,
        status: 'ok',
        ms: 1,
        bytes: 1,
      } as never);
    }
    assert.deepEqual(warned, ['alarm']);
    assert.deepEqual(alarms.status().open[0]?.seqs, []);
    assert.equal(alarms.status().open[0]?.count, 25);
  } finally {
    await alarms.close();
    await rm(folder, { recursive: true, force: true });
  }
});
