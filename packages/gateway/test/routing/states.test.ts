// What a modern server hands out to go on with a call: of use to the caller it was for, with the request it was for.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { META, type Message } from '@mcp-overlay/relay';
import { STATE_MS, StateSeal } from '../../src/routing/states.ts';
import { openSession, type Play, playedBackend, resultIn } from '../session/one-session.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
type Json = any;

const META_MODERN = { _meta: { [META.version]: '2026-07-28', [META.clientCapabilities]: { elicitation: {} } } };
const RULED = {
  personal: true,
  shows: () => true,
  decide: () => ({ allow: true, rule: 'r' }),
  reaches: () => true,
  mayAsk: () => true,
};
const errorIn = (message: Message): Json => JSON.parse(message.bytes.toString('utf8')).error;

/** Asks first, and tells what it got the second time. */
const asks: Play = (method, params) => {
  if (method === 'server/discover')
    return { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: { tools: {} } };
  if (method !== 'tools/call') return undefined;
  if (params.requestState !== undefined) return { resultType: 'complete', content: [], got: params.requestState };
  return {
    resultType: 'input_required',
    inputRequests: {},
    requestState: `state of ${JSON.stringify(params.arguments)}`,
  };
};

function sessionOf(principal: string, stateSeal: StateSeal, backends = ['a']) {
  const who = { id: principal, name: principal, proven: true, via: 'ziti', groups: [] } as const;
  const played = backends.map((id) => playedBackend(id, asks));
  return openSession(played, { stateSeal, accessFor: () => RULED }, {}, undefined, who);
}

const call = (house: ReturnType<typeof sessionOf>, n: number, requestState?: string): Promise<Message> =>
  house.ask('tools/call', { name: 'echo', arguments: { n }, ...(requestState && { requestState }), ...META_MODERN });

test('its caller goes on with it, also over another connection; the server sees what it gave', async () => {
  const seal = new StateSeal();
  await using alice = sessionOf('ziti:alice', seal);
  const { requestState } = resultIn(await call(alice, 1)) as Json;
  assert.doesNotMatch(Buffer.from(requestState, 'base64url').toString('latin1'), /state of/);
  assert.equal((resultIn(await call(alice, 1, requestState)) as Json).got, 'state of {"n":1}');
  await using again = sessionOf('ziti:alice', seal);
  assert.equal((resultIn(await call(again, 1, requestState)) as Json).got, 'state of {"n":1}');
});

test('T08: nobody else goes on with it, nor anybody with another request: 0 of 10,000 tries', async () => {
  const seal = new StateSeal();
  await using alice = sessionOf('ziti:alice', seal);
  await using mallory = sessionOf('ziti:mallory', seal);
  const { requestState } = resultIn(await call(alice, 1)) as Json;
  const own = (resultIn(await call(mallory, 1)) as Json).requestState;
  assert.equal(errorIn(await call(mallory, 1, requestState)).code, -32602);
  assert.equal(errorIn(await call(alice, 2, requestState)).code, -32602);
  assert.equal(errorIn(await call(alice, 1, own)).code, -32602);
  let opened = 0;
  const bound = (who: string, n: number): string => JSON.stringify([who, 'a', 'tools/call', `digest ${n}`]);
  const sealed = seal.seal('state', bound('ziti:alice', 0));
  for (let n = 0; n < 10_000; n += 1) {
    const at = n % sealed.length;
    const flipped = `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'B' : 'A'}${sealed.slice(at + 1)}`;
    const same = Buffer.from(flipped, 'base64url').equals(Buffer.from(sealed, 'base64url'));
    if (!same && seal.open(flipped, bound('ziti:alice', 0)) !== undefined) opened += 1;
    if (seal.open(sealed, bound(`ziti:mallory-${n}`, 0)) !== undefined) opened += 1;
    if (seal.open(sealed, bound('ziti:alice', n + 1)) !== undefined) opened += 1;
  }
  assert.equal(opened, 0);
  assert.equal(mallory.session.openCalls, 0);
});

test('T08: it is of no use when its time is over, or to another gateway', () => {
  let now = 1000;
  const seal = new StateSeal(undefined, () => now);
  const text = seal.seal('state', 'b');
  now += STATE_MS;
  assert.equal(seal.open(text, 'b'), 'state');
  now += 1;
  assert.equal(seal.open(text, 'b'), undefined);
  assert.equal(new StateSeal().open(text, 'b'), undefined);
  for (const odd of ['', 'x', '=', 'é'.repeat(50)]) assert.equal(seal.open(odd, 'b'), undefined);
});
