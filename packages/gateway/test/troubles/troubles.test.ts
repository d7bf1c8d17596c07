// Plain words for what is not well: each names what failed, what is done about it and what to do; said once in the log when
// it begins and once when it is over.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BackendHealth } from '../../src/backend/health.ts';
import { type BackendSeen, backendTroubles } from '../../src/troubles/backends.ts';
import { type GatewaySeen, gatewayTroubles } from '../../src/troubles/gateway.ts';
import { type Found, watchTroubles } from '../../src/troubles/trouble.ts';

const HEALTH: BackendHealth = {
  state: 'failing',
  since: 1000,
  reason: 'fs exited with code 1',
  circuit: 'closed',
  restarts: 1,
  calls: 0,
  strayLines: 0,
  incomplete: {},
};
const STDIO = { type: 'stdio', command: 'x', args: [], env: {}, envPass: [] } as const;
const SERVERS = { circuit: 'closed', failures: 5, retrySeconds: 42, stderr: [] } as const;

const WELL: GatewaySeen = {
  file: '/etc/g.yml',
  overlay: 'ziti',
  shares: [{ token: 'town-hall', unreached: undefined }],
  audit: { head: { log: 'l', seq: 1, hash: 'h' }, path: '/var/log/a', durability: 'os' },
  onFailure: 'deny',
  overload: { level: 0, since: 0, worst: 'heap', value: 0.1 },
  pins: { file: '/etc/g.lock' },
  scrub: {},
  undelivered: 0,
};

function backend(more: Partial<BackendSeen> = {}, health: Partial<BackendHealth> = {}): Found[] {
  const seen = { config: { id: 'fs', transport: STDIO }, health: { ...HEALTH, ...health }, ...more };
  return backendTroubles([seen], '/etc/g.yml');
}

test('where all is well nothing is said', () => {
  assert.deepEqual(gatewayTroubles(WELL), []);
  assert.deepEqual(backend({}, { state: 'up' }), []);
});

test('a backend that fails: its reason, what is tried, its own last words, and what to do by its kind', () => {
  const [found, ...others] = backend({ servers: { ...SERVERS, stderr: ['no such file'] } });
  assert.deepEqual(others, []);
  assert.deepEqual(found, {
    about: 'backend fs',
    failed: 'fs exited with code 1',
    since: 1000,
    said: ['no such file'],
    doing: 'it is started again with growing pauses, calls to it wait; the other backends work',
    remedy: 'mend its command or what it needs; mcp-gateway check /etc/g.yml tries it',
  });
  const transport = { type: 'share', token: 'build-box' } as const;
  const [share] = backend({ config: { id: 'build', transport } });
  assert.match(share?.doing ?? '', /^it is dialled again/);
  assert.equal(share?.remedy, 'start the bridge or gateway that hosts share build-box');
});

test('a circuit: open says when the next start is tried, half-open that it is', () => {
  const [open] = backend({ servers: { ...SERVERS, circuit: 'open' } });
  assert.match(open?.doing ?? '', /it failed 5 times: one start is tried in 42 s, calls to it are refused at once/);
  const [half] = backend({ servers: { ...SERVERS, circuit: 'half-open' } }, { state: 'starting' });
  assert.match(half?.doing ?? '', /was left alone, and is tried once now/);
  const [own] = backend({}, { circuit: 'open' });
  assert.match(own?.doing ?? '', /it failed too often: one start is tried after a while/);
});

test('a list that is not shown whole', () => {
  const [list] = backend({}, { state: 'up', incomplete: { tools: 'over 10000 tools' } });
  assert.deepEqual([list?.about, list?.failed], ['tools of backend fs', 'over 10000 tools']);
});

test('the network, the audit log, the machine, files and alarms each have words of their own', () => {
  const one = (more: Partial<GatewaySeen>): Found => {
    const [found, ...others] = gatewayTroubles({ ...WELL, ...more });
    assert.deepEqual(others, []);
    assert.ok(found && found.failed !== '' && found.doing !== '' && found.remedy !== '');
    return found;
  };
  const unreached = { since: 5, why: 'no router answers' };
  const network = one({ shares: [{ token: 'town-hall', unreached }] });
  assert.equal(network.failed, 'callers cannot reach it over ziti: no router answers');
  assert.equal(network.since, 5);
  const full = {
    head: { log: 'l', seq: 1, hash: 'h' },
    path: '/var/log/a',
    durability: 'os',
    trouble: 'ENOSPC',
  } as const;
  assert.match(one({ audit: full }).doing, /no call is let through/);
  assert.match(one({ audit: full, onFailure: 'buffer' }).doing, /wait in memory/);
  assert.match(one({ audit: full, onFailure: 'allow' }).doing, /calls go on/);
  assert.match(one({ audit: full }).remedy, /make room on the disk of \/var\/log\/a/);
  const over = (level: 1 | 2, worst: 'heap' | 'memory' | 'files' | 'lag', value: number): Found =>
    one({ overload: { level, since: 7, worst, value } });
  assert.equal(over(1, 'heap', 0.81).failed, '81 % of the heap of this process is used');
  assert.match(over(1, 'memory', 0.9).doing, /^new sessions are told to come again, those/);
  assert.match(over(2, 'files', 0.95).doing, /new sessions and new calls/);
  assert.match(over(2, 'files', 0.95).remedy, /ulimit -n/);
  assert.equal(over(1, 'lag', 250.4).failed, 'this process answers 250 ms late');
  assert.match(one({ pins: { file: '/etc/g.lock', trouble: 'it is broken' } }).remedy, /\/etc\/g\.lock/);
  assert.match(one({ scrub: { trouble: 'bad pattern' } }).doing, /old patterns/);
  assert.equal(one({ undelivered: 2 }).failed, '2 alarms were not delivered');
});

test('each trouble is logged once when it begins and once when it is over, and keeps its beginning', () => {
  let found: Found[] = [];
  let now = 0;
  const said: unknown[] = [];
  const note = (fields: object, event: string): void => void said.push([event, (fields as Found).about]);
  const log = { debug: () => {}, info: note, warn: note };
  const watch = watchTroubles({ look: () => found, log, now: () => now, everyMs: 1 << 30 });
  const words = { failed: 'f', doing: 'd', remedy: 'r' };
  try {
    assert.deepEqual(watch.list(), []);
    found = [
      { about: 'later', ...words },
      { about: 'earlier', ...words, since: -1000 },
    ];
    assert.deepEqual(
      watch.list().map(({ about, since }) => [about, since]),
      [
        ['earlier', '1969-12-31T23:59:59.000Z'],
        ['later', '1970-01-01T00:00:00.000Z'],
      ],
    );
    now = 5000;
    assert.equal(watch.list()[1]?.since, '1970-01-01T00:00:00.000Z');
    found = [];
    assert.deepEqual(watch.list(), []);
    assert.deepEqual(said, [
      ['trouble', 'later'],
      ['trouble', 'earlier'],
      ['trouble is over', 'later'],
      ['trouble is over', 'earlier'],
    ]);
  } finally {
    watch.close();
  }
});
