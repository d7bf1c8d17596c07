import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  canonical,
  claimsModern,
  META,
  refuseEnvelope,
  withEnvelope,
  withoutEnvelope,
} from '../../src/eras/envelope.ts';
import { parseMessage } from '../../src/json-rpc.ts';
import { line } from '../transports/http/harness.ts';
import { modernMeta } from './played.ts';

test('a request without its envelope, or with half of one, is told what is missing', () => {
  assert.match(refuseEnvelope({})?.message ?? '', /_meta is missing/);
  assert.match(refuseEnvelope({ _meta: { [META.clientCapabilities]: {} } })?.message ?? '', /protocolVersion/);
  const { [META.clientCapabilities]: _capabilities, ...rest } = modernMeta();
  assert.equal(refuseEnvelope({ _meta: rest })?.code, -32602);
  assert.equal(refuseEnvelope({ _meta: modernMeta() }), undefined);
});

test('a revision that is not spoken is refused with those that are', () => {
  const refused = refuseEnvelope({ _meta: { ...modernMeta(), [META.version]: '2099-01-01' } });
  assert.equal(refused?.code, -32022);
  assert.deepEqual(refused?.data, { supported: ['2026-07-28'], requested: '2099-01-01' });
});

test('only the envelope is taken off, all else of _meta and params stays', () => {
  const params = { name: 'x', odd: { a: 1 }, _meta: { ...modernMeta(), progressToken: 0, 'com.example/trace': [1] } };
  assert.deepEqual(withoutEnvelope(params), {
    name: 'x',
    odd: { a: 1 },
    _meta: { progressToken: 0, 'com.example/trace': [1] },
  });
  assert.deepEqual(withoutEnvelope({ name: 'x', _meta: modernMeta() }), { name: 'x' });
  const back = withEnvelope({ name: 'x', _meta: { progressToken: 0 } }, { capabilities: {}, clientInfo: undefined });
  assert.equal((back._meta as Record<string, unknown>).progressToken, 0);
});

test('words that are only quoted claim nothing', () => {
  const quoted = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { arguments: { [META.version]: 'x' } } };
  assert.equal(claimsModern(line(quoted)), false);
  assert.equal(claimsModern(line({ ...quoted, params: { _meta: modernMeta() } })), true);
});

test('a digest tells numbers apart that a double does not, and no order of members', () => {
  const text = (n: string) => line(`{"jsonrpc":"2.0","id":1,"method":"m","params":{"b":1,"a":${n}}}`);
  const of = (n: string) => canonical((parseMessage(text(n)) as { params: unknown }).params);
  assert.notEqual(of('9007199254740993'), of('9007199254740992'));
  assert.equal(of('1e-400'), '{"a":1e-400,"b":1}');
});
