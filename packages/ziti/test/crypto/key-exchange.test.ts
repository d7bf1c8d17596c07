import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyPair, sessionKeys } from '../../src/crypto/key-exchange.ts';
import { hex, RECORDED, SEEDED, sodiums } from './support.ts';

for (const sodium of await sodiums()) {
  test(`${sodium.kind}: known keys give known session keys, in both roles`, () => {
    const pair = ({ publicKey, secretKey }: { publicKey: string; secretKey: string }) => ({
      publicKey: hex(publicKey),
      secretKey: hex(secretKey),
    });
    const dialer = sessionKeys(sodium, 'dialer', pair(SEEDED.dialer), hex(SEEDED.host.publicKey));
    const host = sessionKeys(sodium, 'host', pair(SEEDED.host), hex(SEEDED.dialer.publicKey));
    assert.deepEqual(Buffer.from(dialer.rx), hex(SEEDED.hostToDialer));
    assert.deepEqual(Buffer.from(dialer.tx), hex(SEEDED.dialerToHost));
    assert.deepEqual(Buffer.from(host.rx), hex(SEEDED.dialerToHost));
    assert.deepEqual(Buffer.from(host.tx), hex(SEEDED.hostToDialer));
  });

  test(`${sodium.kind}: the keys of recorded connections are found again`, () => {
    assert.equal(RECORDED.length, 7);
    for (const known of RECORDED) {
      const own = { publicKey: hex(known.ownPublic), secretKey: hex(known.ownPrivate) };
      const keys = sessionKeys(sodium, known.role, own, hex(known.peerPublic));
      assert.equal(Buffer.from(keys.rx).toString('hex'), known.rx, known.from);
      assert.equal(Buffer.from(keys.tx).toString('hex'), known.tx, known.from);
    }
  });

  test(`${sodium.kind}: fresh pairs differ, and both ends agree`, () => {
    const [one, two] = [keyPair(sodium), keyPair(sodium)];
    assert.notDeepEqual(one.publicKey, two.publicKey);
    assert.notDeepEqual(one.secretKey, two.secretKey);
    const dialer = sessionKeys(sodium, 'dialer', one, two.publicKey);
    const host = sessionKeys(sodium, 'host', two, one.publicKey);
    assert.deepEqual(Buffer.from(dialer.rx), Buffer.from(host.tx));
    assert.deepEqual(Buffer.from(dialer.tx), Buffer.from(host.rx));
    assert.notDeepEqual(Buffer.from(dialer.rx), Buffer.from(dialer.tx));
  });

  test(`${sodium.kind}: keys of another length, and keys that give no secret, are refused`, () => {
    const own = keyPair(sodium);
    const useless = [Buffer.alloc(0), Buffer.alloc(31, 7), Buffer.alloc(33, 7), Buffer.alloc(32), one()];
    for (const peer of useless) {
      for (const role of ['dialer', 'host'] as const) {
        assert.throws(() => sessionKeys(sodium, role, own, peer), { code: 'crypto_key_invalid' });
      }
    }
  });
}

/** The point of order 1 on the curve. */
function one(): Buffer {
  const key = Buffer.alloc(32);
  key[0] = 1;
  return key;
}
