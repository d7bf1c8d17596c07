// The encryption of one connection, against one that two real clients had.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { loadSodium } from '../../src/crypto/sodium.ts';
import { Sealing } from '../../src/edge/sealing.ts';
import { coded } from '../streams.ts';
import { bytes, RECORDED_FRAMES, RECORDED_KEYS } from './recorded-frames.ts';

const sodium = await loadSodium({ native: 'never' });
const recordedKeys = (who: 'dialer' | 'host') => {
  const found = RECORDED_KEYS.find(({ key }) => key === who);
  return { publicKey: bytes(found?.publicKey ?? ''), secretKey: bytes(found?.secretKey ?? '') };
};

for (const [role, peer, channel] of [
  ['dialer', 'host', 'dialer'],
  ['host', 'dialer', 'host'],
] as const) {
  test(`a recorded conversation is opened by the ${role}`, () => {
    const own = recordedKeys(role);
    const peerPublicKey = recordedKeys(peer).publicKey;
    const sealing = new Sealing({ sodium, role, own, peerPublicKey, service: 'probe-svc' });
    const arrived = RECORDED_FRAMES.filter(
      (frame) =>
        frame.in === 'js-js-encrypted' && frame.ch === channel && frame.from === 'router' && frame.name === 'Data',
    );
    const texts = arrived.filter(({ body }) => body.length > 0).map(({ body }) => sealing.open(body));
    const expected = role === 'dialer' ? ['pong 1', 'after FIN 0', 'after FIN 1', 'after FIN 2'] : ['ping 1'];
    assert.deepEqual(
      texts.map((text) => text && String(text)),
      [undefined, ...expected],
    );
    sealing.dispose();
  });
}

function pair(service = 'echo', other = service) {
  const [dialerKeys, hostKeys] = [sodium.keyPair(), sodium.keyPair()];
  const dialer = new Sealing({ sodium, role: 'dialer', own: dialerKeys, peerPublicKey: hostKeys.publicKey, service });
  const host = new Sealing({
    sodium,
    role: 'host',
    own: hostKeys,
    peerPublicKey: dialerKeys.publicKey,
    service: other,
  });
  return { dialer, host, dialerKeys, hostKeys };
}

test('both ends compute the same binding, from what only they share', () => {
  const { dialer, host, dialerKeys, hostKeys } = pair();
  assert.deepEqual([dialer.binding, host.binding], [undefined, undefined]);
  dialer.open(host.header);
  host.open(dialer.header);
  const { tx, rx } = sodium.clientKeys(dialerKeys, hostKeys.publicKey) ?? {};
  const parts = [dialerKeys.publicKey, hostKeys.publicKey, tx, rx, dialer.header, host.header].map(
    (part) => part ?? bytes(''),
  );
  const hash = createHash('sha256').update('mcp-overlay ziti binding v1\0');
  for (const part of parts) hash.update(part);
  assert.deepEqual(Buffer.from(dialer.binding ?? []), hash.update('echo').digest());
  assert.deepEqual(host.binding, dialer.binding);
});

test('another service, another caller, another time: another binding', () => {
  const { dialer, host } = pair('echo', 'ohce');
  dialer.open(host.header);
  host.open(dialer.header);
  assert.notDeepEqual(dialer.binding, host.binding);
  const [own, caller] = [sodium.keyPair(), sodium.keyPair()];
  // A router that announces one caller twice: same keys, and still not the same connection.
  const twice = [1, 2].map(() => {
    const again = new Sealing({ sodium, role: 'host', own, peerPublicKey: caller.publicKey, service: 'echo' });
    again.open(Buffer.alloc(24, 7));
    return again.binding;
  });
  assert.notDeepEqual(twice[0], twice[1]);
});

test('after it was disposed nothing is sealed or opened', () => {
  const { dialer, host } = pair();
  dialer.dispose();
  dialer.dispose();
  assert.throws(() => dialer.seal(bytes('00')), coded('crypto_stream_closed'));
  assert.throws(() => dialer.open(host.header), coded('crypto_stream_closed'));
});

test('a key that gives no secret is refused', () => {
  const options = { sodium, role: 'dialer', own: sodium.keyPair(), service: 'echo' } as const;
  assert.throws(() => new Sealing({ ...options, peerPublicKey: Buffer.alloc(32) }), coded('crypto_key_invalid'));
  assert.throws(() => new Sealing({ ...options, peerPublicKey: Buffer.alloc(31) }), coded('crypto_key_invalid'));
});
