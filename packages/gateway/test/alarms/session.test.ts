// A client's session with decoys and a brake.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_ALARMS } from '@mcp-overlay/config';
import { parseMessage, RPC_ERRORS } from '@mcp-overlay/relay';
import { Brake, type BrakeClock, systemBrakeClock } from '../../src/alarms/brake.ts';
import { decoysOf } from '../../src/alarms/decoys.ts';
import { detectors } from '../../src/alarms/detectors.ts';
import { Habits } from '../../src/alarms/habits.ts';
import { observe } from '../../src/alarms/observed.ts';
import { Cancel } from '../../src/call/cancel.ts';
import { accessOf } from '../../src/policy/access.ts';
import { withoutRules } from '../../src/policy/no-rules.ts';
import { memoryAuditLog } from '../../src/testing/index.ts';
import { openSession, playedBackend, resultIn } from '../session/one-session.ts';

const DECOYS = [
  { backend: 'db', tool: 'dump_credentials', description: 'Export all credentials.', arguments: ['format'] },
  { backend: 'db', tool: 'echo', description: 'a tool of this name is there', arguments: [] },
];

interface Tool {
  readonly name: string;
  readonly description?: string;
  readonly inputSchema: unknown;
}

test('a decoy is listed like a tool, answers like one that fails, reaches no server, and rings', async () => {
  for (const backends of [['db'], ['fs', 'db']]) {
    const log = memoryAuditLog();
    const played = backends.map((id) => playedBackend(id));
    const more = { alarms: { brake: undefined, decoys: decoysOf(DECOYS) }, audit: { log, receipts: false } };
    await using house = openSession(played, more);
    await house.shakeHands();
    const { tools } = resultIn(await house.ask('tools/list')) as unknown as { tools: Tool[] };
    const name = backends.length === 1 ? 'dump_credentials' : 'db__dump_credentials';
    const listed = tools.find((tool) => tool.name === name);
    assert.deepEqual(listed?.inputSchema, { type: 'object', properties: { format: { type: 'string' } } });
    assert.equal(
      tools.filter((tool) => tool.name.endsWith('echo')).length,
      backends.length,
      'the real one stays alone',
    );
    const answer = resultIn(await house.ask('tools/call', { name, arguments: { format: 'json' } }));
    assert.equal(answer.isError, true);
    const outcome = await log.saw(({ type }) => type === 'call.outcome');
    const seen = observe(outcome, 1, { wall: 0, mono: 0 });
    const found = seen && detectors({ ...DEFAULT_ALARMS, decoys: DECOYS }, new Habits(1))(seen);
    assert.deepEqual(
      found?.map(({ rule, target }) => [rule, target]),
      [['decoy', 'dump_credentials']],
    );
    const real = resultIn(await house.ask('tools/call', { name: name.replace('dump_credentials', 'echo') }));
    assert.equal(real.by, 'db', 'a real tool is never hidden by a decoy');
    const asked = played.flatMap(({ servers }) => servers.flatMap(({ got }) => got.map(({ method }) => method)));
    assert.equal(asked.filter((method) => method === 'tools/call').length, 1);
  }
});

test('a decoy is called before anybody listed, and still is none of the server', async () => {
  const db = playedBackend('db');
  await using house = openSession([db], { alarms: { brake: undefined, decoys: decoysOf(DECOYS) } });
  await house.shakeHands();
  assert.equal(resultIn(await house.ask('tools/call', { name: 'echo' })).by, 'db');
  assert.equal(resultIn(await house.ask('tools/call', { name: 'dump_credentials' })).isError, true);
});

test('who sees none of a backend sees none of its decoys, and a call of one answers as of something unknown', async () => {
  const nothing = new Map([['db', () => undefined]]);
  await using house = openSession([playedBackend('db')], {
    alarms: { brake: undefined, decoys: decoysOf(DECOYS) },
    accessFor: (principal, session) => accessOf(withoutRules(), nothing as never, principal, session),
  });
  await house.shakeHands();
  assert.deepEqual((resultIn(await house.ask('tools/list')) as unknown as { tools: Tool[] }).tools, []);
  const answer = parseMessage(await house.ask('tools/call', { name: 'dump_credentials' })) as {
    error?: { message: string };
  };
  assert.match(answer.error?.message ?? '', /Unknown tool/);
});

test('T33: a loop is slowed, then refused with looping and told why; other arguments pass', async () => {
  const waits: number[] = [];
  const clock: BrakeClock = {
    mono: () => 0,
    wait: async (ms) => void waits.push(ms),
  };
  const brake = Brake.of({ calls: 20, withinMs: 60_000, slow: 5, refuse: 8 }, clock);
  const db = playedBackend('db');
  const log = memoryAuditLog();
  const more = { alarms: { brake, decoys: new Map() }, audit: { log, receipts: false } };
  await using house = openSession([db], more);
  await house.shakeHands();
  const call = async (args: object) =>
    parseMessage(await house.ask('tools/call', { name: 'echo', arguments: args })) as {
      error?: { code: number; message: string; data: Record<string, unknown> };
    };
  for (let nr = 1; nr < 8; nr += 1) assert.equal((await call({ a: 1, b: 2 })).error, undefined);
  assert.deepEqual(waits, [1000, 2000, 3000]);
  const { error } = await call({ b: 2, a: 1 });
  assert.equal(error?.code, RPC_ERRORS.looping);
  assert.deepEqual(error?.data, { error: 'looping', limit: 'alarms.loop.refuse', count: 8, retryAfterMs: 60_000 });
  assert.match(error?.message ?? '', /the same arguments was made 8 times within 60 s.*not passed on/);
  assert.equal((await call({ a: 2 })).error, undefined);
  const passed = db.servers.flatMap(({ got }) => got.filter(({ method }) => method === 'tools/call'));
  assert.equal(passed.length, 8);
  const outcome = await log.saw((event) => event.type === 'call.outcome' && event.status === 'refused');
  assert.ok('why' in outcome && outcome.why === 'alarms.loop.refuse');
});

test('without slow and refuse there is no brake, and a call that is held up can be cancelled', async () => {
  assert.equal(Brake.of({ calls: 20, withinMs: 60_000 }), undefined);
  const cancel = new Cancel();
  const waiting = systemBrakeClock().wait(3_600_000, cancel);
  cancel.fire('its client left');
  await waiting;
});
