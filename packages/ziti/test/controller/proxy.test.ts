// Controllers behind an HTTP proxy: login, requests and enrollment go through it, names are still checked inside.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { connectThrough, parseProxy } from '../../src/channel/proxy.ts';
import { createController } from '../../src/controller/controller.ts';
import { enroll } from '../../src/enroll/enroll.ts';
import type { ZitiError } from '../../src/errors.ts';
import { parseIdentity } from '../../src/identity.ts';
import { startTestNetwork } from '../../src/testing/index.ts';
import { tempFolder } from '../temp-folder.ts';

/** CONNECT to anything on this machine; `refuse` says for which targets not. */
async function startProxy(refuse: (target: string) => boolean = () => false) {
  const targets: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer();
  server.on('connect', (request, socket: Socket) => {
    const target = request.url ?? '';
    targets.push(target);
    sockets.add(socket.on('error', () => {}));
    if (refuse(target)) {
      socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    const onward = connect({ host: '127.0.0.1', port: Number(target.split(':').at(-1)) });
    sockets.add(onward.on('error', () => socket.destroy()));
    onward.on('connect', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy = parseProxy(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return {
    targets,
    openSocket: (target: { host: string; port: number }) => connectThrough(proxy, target),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

test('login and requests share one connection through the proxy', async () => {
  await using net = await startTestNetwork();
  net.addService('echo');
  await using proxy = await startProxy();
  const controller = createController(parseIdentity(net.addIdentity('me').json), { openSocket: proxy.openSocket });
  assert.equal((await controller.services()).length, 1);
  assert.deepEqual(proxy.targets, [new URL(net.controllerUrl).host]);
  await controller.close();
});

test('a controller that the proxy refuses is left for another one', async () => {
  await using net = await startTestNetwork({ login: 'oidc', controllers: 2 });
  const { host } = new URL(net.controllerUrl);
  await using proxy = await startProxy((target) => target === host);
  const identity = parseIdentity(net.addIdentity('me').json);
  const controller = createController(identity, { openSocket: proxy.openSocket, random: () => 0 });
  assert.ok(!(await controller.apiSession()).controller.includes(host));
  await controller.close();

  await using closed = await startProxy(() => true);
  const nobody = createController(identity, { openSocket: closed.openSocket });
  await assert.rejects(
    nobody.apiSession(),
    (error: ZitiError) => error.code === 'proxy_refused' && /403/.test(error.message),
  );
  await nobody.close();
});

test('a token is enrolled through the proxy, every step of it', async () => {
  await using net = await startTestNetwork();
  await using folder = await tempFolder();
  await using proxy = await startProxy();
  const { token, id } = net.addEnrollment('fresh');
  const { openSocket } = proxy;
  assert.equal((await enroll(token, { out: folder.file('id.json'), openSocket })).id, id);
  assert.equal(proxy.targets.length, 3);
});
