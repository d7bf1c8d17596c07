// Whoever takes a link up again with a newer token: the same rights go on, others get a session of their own.

import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { parseGatewayConfig } from '@mcp-overlay/config';
import { type AccessSource, shareGuard } from '@mcp-overlay/overlay';
import { tempOverlay } from '@mcp-overlay/overlay/testing';
import { dialLink } from '@mcp-overlay/relay';
import { startGateway } from '../src/gateway.ts';

const ISSUER = 'https://idp.example';
const key = generateKeyPairSync('ed25519').privateKey;
const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function jwt(groups: readonly string[]): string {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 600 + Math.floor(Math.random() * 100);
  const claims = { iss: ISSUER, aud: 'hall', sub: 'bob', exp, groups };
  const text = `${encode({ alg: 'EdDSA', kid: 'k' })}.${encode(claims)}`;
  return `${text}.${sign(null, Buffer.from(text), key).toString('base64url')}`;
}

test('a newer token with the same groups goes on with the session; with others it is a new one', async () => {
  await using temp = await tempOverlay();
  await temp.overlay.createShare('box');
  const { d: _d, ...open } = key.export({ format: 'jwk' });
  const jwks = join(temp.home, 'jwks.json');
  await writeFile(jwks, JSON.stringify({ keys: [{ ...open, kid: 'k' }] }));
  const file = join(temp.home, 'g.yml');
  const text = `share: { token: box, grants: ["jwt:${ISSUER}#bob"] }
issuers: [{ issuer: "${ISSUER}", audience: hall, jwks: ${jwks}, groups: groups }]
audit: off
backends: [{ id: a, transport: { type: stdio, command: /nowhere/x } }]`;
  await writeFile(file, text);
  const { config } = parseGatewayConfig(text, { file, env: {}, cwd: temp.home });
  const gateway = await startGateway({
    config,
    overlay: temp.overlay,
    env: temp.env,
    version: 't',
    log,
    onLost: () => {},
  });
  let bearer = jwt(['a']);
  const access: AccessSource = async () => ({ token: { use: (fn) => fn(Buffer.from(bearer)) } });
  let connection: Duplex | undefined;
  let renewed = 0;
  let ups = 0;
  let told: () => void = () => {};
  const next = (): Promise<void> =>
    new Promise((resolve) => {
      told = resolve;
    });
  const link = dialLink({
    connect: async (signal) => {
      connection = await temp.other.dial('box', { signal });
      return connection;
    },
    session: randomBytes(16).toString('hex'),
    by: 't',
    check: shareGuard({ overlay: temp.other, share: 'box', env: temp.env, access, log }),
    backoff: { minMs: 1, maxMs: 5 },
    onRenewed: () => {
      renewed += 1;
    },
    onState: ({ phase }) => {
      if (phase === 'up') ups += 1;
      if (phase === 'up') told();
    },
  });
  try {
    link.start({ message: () => {}, fault: () => {}, closed: () => {} });
    await link.ready;
    bearer = jwt(['a']);
    let up = next();
    connection?.destroy();
    await up;
    assert.deepEqual([renewed, ups], [0, 2], 'the same rights: the same session');
    bearer = jwt(['b']);
    up = next();
    connection?.destroy();
    // Taken up, sent away because it has other rights, and opened anew.
    await up;
    if (renewed === 0) await next();
    assert.equal(renewed, 1);
    const { sessions } = await gateway.status();
    assert.equal(sessions.length, 1);
  } finally {
    await link.close();
    await gateway.close();
  }
});
