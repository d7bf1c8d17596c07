// Who sits where: the credential of a caller, and what callers share.

import assert from 'node:assert/strict';
import test from 'node:test';
import { parseGatewayConfig } from '@mcp-overlay/config';
import { type Caller, type SeatOf, seatsOf } from '../../src/backend/credentials.ts';

const caller = (id: string, groups: readonly string[] = []): Caller => ({ id, proven: id.includes(':'), groups });

function seats(
  inject: string,
  transport = 'type: stdio, command: srv, env: { BASE: base, T: of-the-transport }',
): SeatOf {
  const text = `backends:\n  - id: a\n    transport: { ${transport} }\n    inject: ${inject}\n`;
  const { config } = parseGatewayConfig(text, { file: 'g.yml', env: {}, cwd: '/' });
  const [backend] = config.backends;
  assert.ok(backend);
  return seatsOf(backend, { env: { A: 'of-alice', B: 'of-the-group', S: 'of-all' } });
}

const ENTRIES = '"ziti:alice": { env: { T: "env:A" } }, "group:eng": { env: { T: "env:B" } }';

test('without entries everybody has the same seat', async () => {
  const seatOf = seats('{ env: { T: "env:S" } }');
  for (const one of [caller('ziti:alice'), caller('owner'), caller('unproven')]) assert.equal(seatOf(one)?.key, '');
  assert.deepEqual(await seatOf(caller('owner'))?.env(() => {}), { BASE: 'base', T: 'of-all' });
});

test('T06 the first entry that fits counts, each caller sits alone, and whoever has none has no seat', async () => {
  const seatOf = seats(`{ per_identity: { ${ENTRIES} } }`);
  const alice = seatOf(caller('ziti:alice', ['eng']));
  assert.deepEqual(await alice?.env(() => {}), { BASE: 'base', T: 'of-alice' });
  const [bob, eve] = [seatOf(caller('ziti:bob', ['eng', 'x'])), seatOf(caller('ziti:eve', ['eng']))];
  assert.deepEqual(await bob?.env(() => {}), { BASE: 'base', T: 'of-the-group' });
  assert.equal(new Set([alice?.key, bob?.key, eve?.key]).size, 3);
  assert.equal(bob?.key, seatOf(caller('ziti:bob', ['eng']))?.key);
  for (const one of [
    caller('ziti:carol'),
    caller('owner'),
    caller('unproven'),
    caller('ziti:dan', ['en', 'engineers']),
  ]) {
    assert.equal(seatOf(one), undefined, one.id);
  }
});

test('others get what is shared only where the file says so', async () => {
  const seatOf = seats(`{ env: { T: "env:S" }, per_identity: { ${ENTRIES}, default: shared } }`);
  assert.equal(seatOf(caller('ziti:carol'))?.key, '');
  assert.deepEqual(await seatOf(caller('ziti:carol'))?.env(() => {}), { BASE: 'base', T: 'of-all' });
  assert.deepEqual(await seatOf(caller('ziti:alice'))?.env(() => {}), { BASE: 'base', T: 'of-alice' });
});

test('network means every one that proves itself', () => {
  const seatOf = seats('{ per_identity: { network: { env: { T: "env:S" } } } }');
  const [one, two] = [seatOf(caller('ziti:one')), seatOf(caller('ziti:two'))];
  assert.ok(one && two && one.key !== two.key);
  for (const id of ['owner', 'unproven', 'network']) assert.equal(seatOf(caller(id)), undefined, id);
});

test('{identity} is the id of whoever calls, and nobody without a proof is given one but the owner', async () => {
  const seatOf = seats(`{ env: { T: 'cmd:["echo","-n","{identity}"]' }, per_identity: required }`);
  assert.deepEqual(await seatOf(caller('ziti:alice'))?.env(() => {}), { BASE: 'base', T: 'ziti:alice' });
  assert.deepEqual(await seatOf(caller('owner'))?.env(() => {}), { BASE: 'base', T: 'owner' });
  assert.equal(seatOf(caller('unproven')), undefined);
  assert.equal(seatOf({ id: 'nobody', proven: false, groups: [] }), undefined);
});

test('an injected header takes the place of the one of the transport, however it is written', async () => {
  const http = 'type: https, endpoint: "https://h/", headers: { authorization: Basic-of-all, X-A: "1" }';
  const seatOf = seats('{ headers: { Authorization: "Bearer ${env:S}" } }', http);
  assert.deepEqual(await seatOf(caller('owner'))?.headers(() => {}), { 'X-A': '1', Authorization: 'Bearer of-all' });
});

test('T25 an identity or a variable called __proto__ or constructor is one like others', async () => {
  const seatOf = seats(
    '{ env: { __proto__: "env:S", constructor: c }, per_identity: { "x509:__proto__": { env: { toString: t } } } }',
  );
  const seat = seatOf(caller('x509:__proto__'));
  assert.deepEqual(Object.entries((await seat?.env(() => {})) ?? {}).sort(), [
    ['BASE', 'base'],
    ['T', 'of-the-transport'],
    ['__proto__', 'of-all'],
    ['constructor', 'c'],
    ['toString', 't'],
  ]);
  assert.equal(seatOf(caller('__proto__')), undefined);
  assert.equal(seatOf(caller('constructor')), undefined);
});
