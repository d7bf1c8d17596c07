// A controller behind https, straight and through a proxy: the proxy sees a name and sealed bytes, never the token.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { createTestPki } from '@mcp-overlay/ziti/testing';
import { importOptions, startFakeZrok } from '../../src/testing/index.ts';
import { tempHome } from './temp-home.ts';

const timeout = 60_000;

test('https, with a CA of our own, and through a proxy that sees only the name', { timeout }, async () => {
  await using house = await httpsHouse();
  const straight = await house.enable({ ZROK2_API_ENDPOINT: `https://localhost:${house.port}` });
  assert.deepEqual(straight, { apiEndpoint: `https://localhost:${house.port}` });
  const endpoint = 'https://zrok.example';
  const proxied = await house.enable({ ZROK2_API_ENDPOINT: endpoint, HTTPS_PROXY: house.proxy });
  assert.deepEqual(proxied, { apiEndpoint: endpoint });
  assert.ok(house.connects.length > 0 && house.connects.every((target) => target === 'zrok.example:443'));
  const seen = Buffer.concat(house.seen);
  assert.ok(seen.length > 1000 && !seen.includes(house.token), 'the token is sealed');
});

test('a certificate that nobody vouches for is refused, with the way to trust a CA of one’s own', {
  timeout,
}, async () => {
  await using house = await httpsHouse();
  const refused = await house.enable({
    ZROK2_API_ENDPOINT: `https://localhost:${house.port}`,
    NODE_EXTRA_CA_CERTS: '',
  });
  assert.equal(refused.code, 'network_unreachable');
  assert.match(refused.hint ?? '', /NODE_EXTRA_CA_CERTS/);
});

test('a proxy that refuses or is not there is named', { timeout }, async () => {
  await using house = await httpsHouse();
  const endpoint = { ZROK2_API_ENDPOINT: 'https://forbidden.example' };
  const refused = await house.enable({ ...endpoint, HTTPS_PROXY: house.proxy });
  assert.equal(refused.code, 'network_unreachable');
  assert.match(refused.message ?? '', /the proxy .* does not connect to forbidden\.example:443: 403/);
  const nobody = await house.enable({ ...endpoint, HTTPS_PROXY: 'http://127.0.0.1:1' });
  assert.equal(nobody.code, 'network_unreachable');
  assert.match(nobody.message ?? '', /the proxy 127\.0\.0\.1:1 cannot be reached/);
});

interface Outcome {
  readonly apiEndpoint?: string;
  readonly code?: string;
  readonly message?: string;
  readonly hint?: string;
}

interface HttpsHouse extends AsyncDisposable {
  readonly token: string;
  /** Of TLS in front of the controller. */
  readonly port: number;
  readonly proxy: string;
  /** What the proxy was asked for, and all bytes it carried towards the controller. */
  readonly connects: string[];
  readonly seen: Buffer[];
  /** In a process of its own, in a fresh home: the CA is read when Node starts. */
  enable(env: Record<string, string>): Promise<Outcome>;
}

async function httpsHouse(): Promise<HttpsHouse> {
  const [fake, folder] = await Promise.all([startFakeZrok(), tempHome()]);
  const token = fake.addAccount('a@example.com');
  const pki = createTestPki();
  const issued = pki.issue({ commonName: 'zrok', use: 'server', dns: ['localhost', 'zrok.example'] });
  const ca = join(folder.path, 'ca.pem');
  await writeFile(ca, pki.rootPem + pki.intermediatePem);
  const sockets = new Set<Socket | Duplex>();
  const kept = <T extends Duplex>(socket: T): T => {
    sockets.add(socket);
    socket.on('error', () => {}).once('close', () => sockets.delete(socket));
    return socket;
  };
  const back = Number(new URL(fake.url).port);
  const front = createTlsServer({ key: issued.keyPem ?? '', cert: issued.chainPem }, (socket) => {
    kept(socket)
      .pipe(kept(connect(back, '127.0.0.1')))
      .pipe(socket);
  });
  front.on('tlsClientError', () => {});
  const port = await listening(front);
  const connects: string[] = [];
  const seen: Buffer[] = [];
  const proxy = createServer();
  proxy.on('connect', (request: IncomingMessage, socket: Duplex) => {
    kept(socket);
    if (request.url?.startsWith('forbidden')) {
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
      return;
    }
    connects.push(request.url ?? '');
    const onward = kept(connect(port, '127.0.0.1'));
    socket.write('HTTP/1.1 200 Connected\r\n\r\n');
    socket.on('data', (chunk: Buffer) => seen.push(chunk));
    socket.pipe(onward).pipe(socket);
  });
  const proxyPort = await listening(proxy);
  let homes = 0;
  return {
    token,
    port,
    proxy: `http://127.0.0.1:${proxyPort}`,
    connects,
    seen,
    enable: async (env) => {
      homes += 1;
      const HOME = join(folder.path, `home-${homes}`);
      const program = fileURLToPath(new URL('./fixtures/enabler.ts', import.meta.url));
      const child = spawn(process.execPath, [...importOptions(), program, token], {
        env: { PATH: process.env.PATH, HOME, NODE_EXTRA_CA_CERTS: ca, ...env },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let said = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      await once(child, 'close');
      return JSON.parse(said) as Outcome;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await Promise.all([closed(front), closed(proxy)]);
      await Promise.all([fake[Symbol.asyncDispose](), folder[Symbol.asyncDispose]()]);
    },
  };
}

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function closed(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}
