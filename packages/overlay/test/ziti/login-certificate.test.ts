// The certificate of a login, by which members of networks before 2.0 prove who they are: when it is asked for again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIdentity } from '@mcp-overlay/ziti';
import { startTestNetwork } from '@mcp-overlay/ziti/testing';
import { OverlayError, type OverlayErrorCode } from '../../src/errors.ts';
import type { ZitiNetwork } from '../../src/ziti/network.ts';
import { zitiProofs } from '../../src/ziti/proofs.ts';

for (const [code, againMs] of [
  ['network_unreachable', 2000],
  ['identity_refused', 60_000],
] as const satisfies readonly (readonly [OverlayErrorCode, number])[]) {
  test(`${code}: the next proof asks again ${againMs / 1000} s later, not before`, { timeout: 30_000 }, async () => {
    await using net = await startTestNetwork();
    const identity = parseIdentity(net.addIdentity('alice').json);
    let asked = 0;
    let time = 0;
    const network: Pick<ZitiNetwork, 'identity' | 'sessionCertificate'> = {
      identity,
      sessionCertificate: async () => {
        asked += 1;
        throw new OverlayError(code, 'not now');
      },
    };
    const proofs = await zitiProofs({ network: network as ZitiNetwork, realm: 'r', now: () => time });
    for (const [at, expected] of [
      [0, 1],
      [againMs - 1, 1],
      [againMs, 2],
    ] as const) {
      time = at;
      assert.ok(await proofs.credential(), 'the one of the file stands in');
      assert.equal(asked, expected, `at ${at} ms`);
    }
  });
}
