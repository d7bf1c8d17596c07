// The first bytes of a connection, both ends: split everywhere, other protocols, silence, strangers.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer, request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import type { Connection, Overlay } from '../../src/index.ts';
import { hostShare } from '../../src/local/host.ts';
import { coded, everything, over, tempOverlay } from '../../src/testing/index.ts';
import { tempFolder } from './sockets.ts';

const timeout = 60_000;
const NONCE = '0123456789abcdef0123456789abcdef';
const HELLO = `MCP-LOCAL/1 ${NONCE}\n`;
const RAW = [
  'MCP-LINK/1 {"link":null}\n',
  'MCP-LOCAX',
  'M{}',
  '{"jsonrpc":"2.0","id":1,"method":"ping"}\n',
  'GET /mcp HTTP/1.1\r\nhost: x\r\n\r\n',
  '\n',
  '\0\u0001\u0002',
];

for (const text of RAW) {
  test(`${JSON.stringify(text)} reaches the host byte for byte, split anywhere`, { timeout }, async () => {
    await using share = await hosted();
    for (let split = 0; split <= text.length; split += 1) {
      const socket = share.raw();
      await send(socket, text, split);
      socket.end();
      const connection = await share.next();
      assert.equal(connection.binding, null);
      assert.equal(String(await everything(connection)), text);
      connection.destroy();
    }
  });
}

test('a hello split anywhere is answered, and what follows it is kept', { timeout }, async () => {
  await using share = await hosted();
  const sent = `${HELLO}and more`;
  for (let split = 0; split <= sent.length; split += 1) {
    const socket = share.raw();
    await send(socket, sent, split);
    socket.end();
    const connection = await share.next();
    assert.equal(String(await everything(connection)), 'and more');
    connection.end('bye');
    const answer = String(await everything(socket));
    const [, nonce = ''] = /^MCP-LOCAL\/1 ([0-9a-f]{32})\nbye$/.exec(answer) ?? [];
    const facts = ['mcp-overlay local binding 1', share.token, NONCE, nonce];
    assert.deepEqual(connection.binding, createHash('sha256').update(facts.join('\n')).digest());
  }
});

test('hellos we do not understand are answered with our version and let nobody in', { timeout }, async () => {
  await using share = await hosted();
  const others = [
    'MCP-LOCAL/2 x\n',
    'MCP-LOCAL/1\n',
    `MCP-LOCAL/1 ${NONCE.toUpperCase()}\n`,
    `MCP-LOCAL/1 ${NONCE}\r\n`,
  ];
  for (const text of [...others, `MCP-LOCAL/1 ${'x'.repeat(200)}`]) {
    const socket = share.raw();
    socket.write(text);
    assert.equal(String(await everything(socket)), 'MCP-LOCAL/1\n', JSON.stringify(text));
  }
  assert.equal(share.waiting(), 0);
});

test('any first bytes are either a hello, or handed on, or refused', { timeout }, async () => {
  await using share = await hosted();
  const start = fc.constantFrom('', 'MCP-', 'MCP-LOCAL/', 'MCP-LOCAL/1 ', `MCP-LOCAL/1 ${NONCE}`, HELLO);
  await fc.assert(
    fc.asyncProperty(start, fc.uint8Array({ maxLength: 200 }), async (head, tail) => {
      const bytes = Buffer.concat([Buffer.from(head), tail]);
      const socket = share.raw();
      const answer = everything(socket);
      socket.end(bytes);
      const prefix = bytes.subarray(0, 10).toString('latin1');
      if ('MCP-LOCAL/'.startsWith(prefix)) {
        const text = bytes.toString('latin1');
        if (!text.startsWith(HELLO)) return assert.match(String(await answer), /^(MCP-LOCAL\/1\n)?$/);
        const connection = await share.next();
        assert.deepEqual(await everything(connection), bytes.subarray(HELLO.length));
        connection.end();
        return assert.match(String(await answer), /^MCP-LOCAL\/1 [0-9a-f]{32}\n$/);
      }
      const connection = await share.next();
      assert.deepEqual(await everything(connection), bytes);
      assert.equal(connection.binding, null);
      connection.end();
      await answer;
    }),
    { numRuns: 300 },
  );
});

test('T23: connections that say nothing, half a hello or nothing more hold up nobody', { timeout }, async () => {
  await using share = await hosted();
  const idle = ['', 'M', 'MCP-LOCAL/1 0123'].flatMap((text) => Array.from({ length: 20 }, () => share.raw(text)));
  await Promise.all(idle.map((socket) => once(socket, 'connect')));
  const connection = await share.net.overlay.dial(share.token);
  assert.equal((await share.next()).binding?.length, 32);
  connection.destroy();
  for (const socket of idle) socket.destroy();
});

test('a connection without first bytes is closed when its time is over', { timeout }, async () => {
  await using temp = await tempFolder();
  const came: Connection[] = [];
  const path = join(temp.path, 's.sock');
  const bound = await hostShare('share', path, {
    onConnection: (connection) => void came.push(connection),
    helloMs: 20,
  });
  for (const text of ['', 'MCP-LO', 'MCP-LOCAL/1 ']) {
    const socket = connect(path);
    socket.write(text);
    await over(socket.resume());
  }
  assert.deepEqual(came, []);
  await bound.close();
});

test('closing a listener ends the hellos on their way, also those that say nothing', { timeout }, async () => {
  await using share = await hosted();
  const idle = [share.raw(), share.raw('MCP-LOCAL/')];
  await Promise.all(idle.map((socket) => once(socket, 'connect')));
  await turn();
  const ended = idle.map((socket) => new Promise((done) => socket.once('end', done).once('error', done).resume()));
  await share.net.overlay.close();
  await Promise.all(ended);
  assert.equal(share.waiting(), 0);
});

test('an HTTP server can be fed with connections, and keeps them alive', { timeout }, async () => {
  await using share = await hosted();
  const server = createHttpServer(async (asked, response) => {
    let body = '';
    for await (const chunk of asked) body += chunk;
    response.end(`${asked.method} ${asked.url} ${body}`);
  });
  const feeding = (async () => server.emit('connection', await share.next()))();
  for (const url of ['/one', '/two', '/three']) {
    const asked = request({ socketPath: share.path, path: url, method: 'POST' });
    asked.end('x'.repeat(100_000));
    const [answer] = await once(asked, 'response');
    assert.equal(String(await everything(answer)), `POST ${url} ${'x'.repeat(100_000)}`);
    await feeding;
  }
  server.closeAllConnections();
});

const HOST_NONCE = 'f'.repeat(32);

test("a host's answer split anywhere is understood, and what follows it is kept", { timeout }, async () => {
  const answer = `MCP-LOCAL/1 ${HOST_NONCE}\nhello`;
  for (let split = 0; split <= answer.length; split += 4) {
    await using fake = await fakeHost(async (socket) => {
      await send(socket, answer, split);
      socket.end();
    });
    const connection = await fake.overlay.dial('fake');
    assert.equal(String(await everything(connection)), 'hello');
    connection.destroy();
  }
});

for (const answer of [
  'HTTP/1.1 400 Bad Request\r\n\r\n',
  '{"error":1}\n',
  'MCP-LOCAL/1\n',
  'MCP-LOCAL/1 abc\n',
  '\n',
]) {
  test(`a host that answers ${JSON.stringify(answer)} is incompatible`, { timeout }, async () => {
    await using fake = await fakeHost((socket) => void socket.end(answer));
    await assert.rejects(fake.overlay.dial('fake'), (error) => {
      assert.ok(coded('peer_incompatible')(error));
      assert.match(String(error), /share fake/);
      return true;
    });
  });
}

test('a host that answers an endless line is incompatible', { timeout }, async () => {
  await using fake = await fakeHost((socket) => void socket.write(`MCP-LOCAL/1 ${'0'.repeat(100_000)}`));
  await assert.rejects(fake.overlay.dial('fake'), coded('peer_incompatible'));
});

test('a host that closes without a word is not hosting', { timeout }, async () => {
  await using fake = await fakeHost((socket) => socket.destroy());
  await assert.rejects(fake.overlay.dial('fake'), coded('share_not_hosted'));
  await using slow = await fakeHost((socket) => void socket.end('MCP-LOC'));
  await assert.rejects(slow.overlay.dial('fake'), coded('share_not_hosted'));
});

test('a host that never answers is given up in time, and its connection is closed', { timeout }, async () => {
  let left: Promise<unknown> = Promise.resolve();
  await using fake = await fakeHost((socket) => {
    left = once(socket.resume(), 'end');
  });
  await assert.rejects(fake.overlay.dial('fake', { timeoutMs: 30 }), (error) => {
    assert.ok(coded('dial_timeout')(error));
    assert.match(String(error), /within 30 ms/);
    return true;
  });
  await left;
});

/** Writes in two pieces that arrive apart. */
async function send(socket: Socket, text: string, split: number): Promise<void> {
  if (split > 0) await new Promise((done) => socket.write(text.slice(0, split), done));
  await turn();
  await turn();
  if (split < text.length) await new Promise((done) => socket.write(text.slice(split), done));
}

async function hosted() {
  const net = await tempOverlay();
  const arrived: Connection[] = [];
  let wake: () => void = () => {};
  const listener = await net.overlay.listenEphemeral({
    onConnection: (connection) => {
      arrived.push(connection);
      wake();
    },
  });
  const path = join(net.home, 'run', `${listener.share}.sock`);
  const sockets: Socket[] = [];
  return {
    net,
    path,
    token: listener.share,
    raw: (text = '') => {
      const socket = connect({ path, allowHalfOpen: true }).on('error', () => {});
      sockets.push(socket);
      if (text !== '') socket.write(text);
      return socket;
    },
    waiting: () => arrived.length,
    next: async (): Promise<Connection> => {
      for (;;) {
        const connection = arrived.shift();
        if (connection) return connection;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of [...sockets, ...arrived]) socket.destroy();
      await net[Symbol.asyncDispose]();
    },
  };
}

/** A share `fake` whose socket belongs to another program. */
async function fakeHost(answer: (socket: Socket) => void): Promise<AsyncDisposable & { overlay: Overlay }> {
  const net = await tempOverlay();
  await net.overlay.createShare('fake');
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket.on('error', () => {}));
    answer(socket);
  });
  server.listen(join(net.home, 'run', 'fake.sock'));
  await once(server, 'listening');
  return {
    overlay: net.overlay,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await net[Symbol.asyncDispose]();
    },
  };
}
