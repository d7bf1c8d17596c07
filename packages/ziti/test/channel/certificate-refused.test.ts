// What a router says of our certificate comes as a TLS alert, after the handshake is over for us. Node's own servers send none;
// the openssl program does, as Go does.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { openChannel } from '../../src/channel/open-channel.ts';
import { CA_PEM, IDENTITY, issue, SERVER } from './fake-router.ts';

const DAY_MS = 86_400_000;

test('a router that refuses our certificate is told as such', async (t) => {
  const old = issue({
    commonName: 'client',
    use: 'client',
    notBefore: new Date(Date.now() - 2 * DAY_MS),
    notAfter: new Date(Date.now() - DAY_MS),
  });
  const identity = { ...IDENTITY, certPem: old.chainPem, keyPem: old.keyPem ?? '' };
  await using router = await opensslServer();
  if (!router) return t.skip('there is no openssl program here');
  await assert.rejects(openChannel({ url: router.url, identity, token: 't', timeoutMs: 5000 }), {
    code: 'router_not_permitted',
    message: /CERTIFICATE_EXPIRED/,
    hint: /expired/,
  });
});

async function opensslServer(): Promise<({ readonly url: string } & AsyncDisposable) | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'ziti-openssl-'));
  const [chain, key, ca] = ['chain.pem', 'key.pem', 'ca.pem'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await writeFile(chain, String(SERVER.cert));
  await writeFile(key, String(SERVER.key), { mode: 0o600 });
  await writeFile(ca, CA_PEM);
  const verify = ['-CAfile', ca, '-Verify', '2', '-verify_return_error'];
  const files = ['-cert', chain, '-cert_chain', chain, '-key', key];
  const child = spawn('openssl', ['s_server', '-accept', '127.0.0.1:0', ...files, ...verify], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const closed = new Promise<undefined>((resolve) =>
    child.on('error', () => resolve(undefined)).on('close', () => resolve(undefined)),
  );
  const port = await Promise.race([portOf(child.stdout), closed]);
  const dispose = async (): Promise<void> => {
    child.kill('SIGKILL');
    if (port !== undefined && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    await rm(folder, { recursive: true, force: true });
  };
  if (port !== undefined) return { url: `tls:127.0.0.1:${port}`, [Symbol.asyncDispose]: dispose };
  await dispose();
  return undefined;
}

async function portOf(stdout: NodeJS.ReadableStream): Promise<number | undefined> {
  for await (const line of createInterface({ input: stdout })) {
    const [, port] = /^ACCEPT .*:([0-9]+)/.exec(line) ?? [];
    if (port !== undefined) return Number(port);
  }
  return undefined;
}
