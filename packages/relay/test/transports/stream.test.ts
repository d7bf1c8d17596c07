// The transport over real pipes, sockets and processes: order, one write per turn, back-pressure, every kind of end.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex, PassThrough, Writable } from 'node:stream';
import test from 'node:test';
import { notificationMessage, requestMessage, resultMessage } from '../../src/json-rpc.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Fault, Message } from '../../src/message.ts';
import type { CloseReason, Transport } from '../../src/transport.ts';
import { type StreamOptions, streamTransport } from '../../src/transports/stream.ts';

/** What arrived, and a way to wait for more of it. */
class Heard {
  readonly messages: Message[] = [];
  readonly faults: Fault[] = [];
  readonly closed: CloseReason[] = [];
  #watchers: (() => void)[] = [];

  on(transport: Transport, onMessage?: (message: Message) => void): this {
    transport.start({
      message: (message) => {
        this.messages.push(message);
        onMessage?.(message);
        this.#changed();
      },
      fault: (fault) => {
        this.faults.push(fault);
        this.#changed();
      },
      closed: (reason) => {
        this.closed.push(reason);
        this.#changed();
      },
    });
    return this;
  }

  async until(done: (heard: this) => boolean): Promise<void> {
    while (!done(this)) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  #changed(): void {
    for (const wake of this.#watchers.splice(0)) wake();
  }
}

function piped(options: Partial<StreamOptions> = {}) {
  const input = new PassThrough();
  const output = new PassThrough();
  const transport = streamTransport({ input, output, limits: LIMITS, ...options });
  return { input, output, transport };
}

/** A Writable that takes nothing until it is told to. */
function slowOutput() {
  const writes: Buffer[] = [];
  const held: (() => void)[] = [];
  let open = false;
  const output = new Writable({
    write(chunk: Buffer, _encoding, done) {
      writes.push(chunk);
      if (open) done();
      else held.push(done);
    },
  });
  const release = () => {
    open = true;
    for (const done of held.splice(0)) done();
  };
  return { output, writes, release };
}

async function socketPair(
  over: 'unix' | 'tcp' = 'unix',
): Promise<{ ours: Socket; theirs: Socket; [Symbol.asyncDispose](): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'stream-'));
  const path = join(folder, 's');
  const server = createServer({ allowHalfOpen: true });
  if (over === 'tcp') server.listen(0, '127.0.0.1');
  else server.listen(path);
  await once(server, 'listening');
  const theirs = connect({
    ...(over === 'tcp' ? { host: '127.0.0.1', port: port(server) } : { path }),
    allowHalfOpen: true,
  });
  const [ours] = (await once(server, 'connection')) as [Socket];
  return {
    ours,
    theirs,
    async [Symbol.asyncDispose]() {
      ours.destroy();
      theirs.destroy();
      server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function port(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function program(
  source: string,
): ChildProcess & { stdin: Writable; stdout: import('node:stream').Readable } & AsyncDisposable {
  const child = spawn(process.execPath, ['-e', source], { stdio: ['pipe', 'pipe', 'inherit'] });
  return Object.assign(child, {
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  });
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('messages arrive in order, wherever the bytes are split', async () => {
  const lines =
    '{"jsonrpc":"2.0","id":1,"method":"a"}\n\n{"jsonrpc":"2.0","method":"é"}\r\n{"jsonrpc":"2.0","id":1,"result":{}}';
  const bytes = Buffer.from(lines);
  for (let at = 0; at <= bytes.length; at++) {
    const { input, transport } = piped();
    const heard = new Heard().on(transport);
    input.write(bytes.subarray(0, at));
    input.end(bytes.subarray(at));
    await heard.until(({ closed }) => closed.length > 0);
    assert.deepEqual(
      heard.messages.map(({ kind }) => kind),
      ['request', 'notification', 'response'],
    );
    assert.deepEqual(heard.closed, [{ code: 'done', reason: 'session ended' }]);
  }
});

test('nothing is called from inside start, send or resume', async () => {
  const { input, transport } = piped();
  input.write('{"jsonrpc":"2.0","method":"a"}\n{"jsonrpc":"2.0","method":"b"}\n');
  await turn();
  const heard = new Heard().on(transport, () => transport.pause());
  assert.equal(heard.messages.length, 0);
  await heard.until(({ messages }) => messages.length === 1);
  transport.resume();
  assert.equal(heard.messages.length, 1);
  await heard.until(({ messages }) => messages.length === 2);
  transport.resume();
  const closing = transport.close();
  assert.equal(heard.closed.length, 0);
  await closing;
  assert.equal(heard.closed.length, 1);
});

test('one message goes out at once, a burst in one turn as one write', async () => {
  const { output, writes, release } = slowOutput();
  release();
  const { transport } = piped({ output });
  transport.send(notificationMessage('one'));
  await Promise.resolve();
  await new Promise((resolve) => process.nextTick(resolve));
  assert.equal(writes.length, 1, 'before any timer or socket');
  for (let index = 0; index < 100; index++) transport.send(notificationMessage(`m${index}`));
  await turn();
  assert.equal(writes.length, 2);
  assert.equal(String(writes[1]).split('\n').length, 101);
});

test('large messages are not copied, and stay in order among small ones', async () => {
  await using pair = await socketPair();
  const transport = streamTransport({ input: pair.ours, output: pair.ours, limits: LIMITS });
  const peer = new Heard().on(streamTransport({ input: pair.theirs, output: pair.theirs, limits: LIMITS }));
  const big = resultMessage('2', { text: 'x'.repeat(16 * 1024 * 1024) });
  const sent = [
    notificationMessage('a'),
    big,
    notificationMessage('b'),
    resultMessage('3', 'y'.repeat(70_000)),
    notificationMessage('c'),
  ];
  for (const message of sent) transport.send(message);
  await peer.until(({ messages }) => messages.length === sent.length);
  for (const [index, message] of sent.entries()) assert.ok(peer.messages[index]?.bytes.equals(message.bytes));
});

test('thousands of messages cross a socket both ways, none lost, doubled or reordered', async () => {
  await using pair = await socketPair();
  const ends = [pair.ours, pair.theirs].map((socket) =>
    streamTransport({ input: socket, output: socket, limits: LIMITS }),
  );
  const heard = ends.map((end) => new Heard().on(end));
  const count = 20_000;
  for (let index = 0; index < count; index++) {
    for (const end of ends) end.send(requestMessage(String(index), 'x', { text: 'y'.repeat(index % 300) }));
    if (index % 97 === 0) await turn();
  }
  for (const one of heard) {
    await one.until(({ messages }) => messages.length === count);
    assert.ok(one.messages.every(({ id }, index) => id === String(index)));
  }
  await ends[0]?.close();
  await Promise.all(heard.map((one) => one.until(({ closed }) => closed.length === 1)));
  assert.deepEqual(
    heard.map(({ closed }) => closed[0]?.code),
    ['done', 'done'],
  );
});

test('a line that is no message is a fault, and the session lives', async () => {
  const stray: Fault[] = [];
  for (const onStray of [undefined, (fault: Fault) => stray.push(fault)]) {
    const { input, transport } = piped({ limits: { ...LIMITS, messageBytes: 100 }, ...(onStray && { onStray }) });
    const heard = new Heard().on(transport);
    input.write('hello\n[]\n{"jsonrpc":"2.0","id":5,"method":"x","params":1}\n');
    input.write(
      `{"jsonrpc":"2.0","id":6,"method":"x","params":["${'x'.repeat(100)}"]}\n{"jsonrpc":"2.0","method":"ok"}\n`,
    );
    await heard.until(({ messages }) => messages.length === 1);
    const told = heard.faults.map(({ code, id }) => [code, id]);
    const ours = [
      ['not_json_rpc', '5'],
      ['message_too_large', '6'],
    ];
    assert.deepEqual(told, onStray === undefined ? [['not_json', undefined], ['batch', undefined], ...ours] : ours);
  }
  assert.deepEqual(
    stray.map(({ code }) => code),
    ['not_json', 'batch'],
  );
});

test('pause holds what was read, and stops the reading', async () => {
  const { input, transport } = piped();
  const heard = new Heard().on(transport, ({ method }) => method === 'stop' && transport.pause());
  input.write('{"jsonrpc":"2.0","method":"stop"}\n{"jsonrpc":"2.0","method":"a"}\n{"jsonrpc":"2.0","method":"stop"}\n');
  await heard.until(({ messages }) => messages.length === 1);
  let accepted = 0;
  while (input.write('{"jsonrpc":"2.0","method":"b"}\n')) accepted++;
  await turn();
  await turn();
  assert.ok(accepted < 10_000);
  assert.equal(heard.messages.length, 1);
  assert.equal(input.isPaused(), true);
  transport.resume();
  await heard.until(({ messages }) => messages.length === 3);
  input.end();
  transport.resume();
  await heard.until(({ closed }) => closed.length === 1);
  assert.equal(heard.messages.length, 3 + accepted + 1);
});

test('tens of thousands of lines held by a pause are delivered in linear time and in order', async () => {
  const { input, transport } = piped();
  const heard = new Heard().on(transport, ({ method }) => method === 'stop' && transport.pause());
  const count = 50_000;
  const rest = Array.from({ length: count }, (_, id) => `{"jsonrpc":"2.0","id":${id},"result":0}\n`).join('');
  input.end(`{"jsonrpc":"2.0","method":"stop"}\n${rest}`);
  await heard.until(({ messages }) => messages.length === 1);
  transport.resume();
  await heard.until(({ closed }) => closed.length === 1);
  assert.ok(heard.messages.slice(1).every(({ id }, index) => id === String(index)));
  assert.equal(heard.messages.length, count + 1);
});

test('send says when to stop, drained when to go on', async () => {
  const { output, writes, release } = slowOutput();
  const { transport } = piped({ output, limits: { ...LIMITS, softQueueBytes: 10_000, hardQueueBytes: 1_000_000 } });
  const message = notificationMessage('x', { text: 'y'.repeat(960) });
  let sent = 1;
  while (transport.send(message)) sent++;
  assert.ok(sent > 5 && sent < 12, `${sent}`);
  let drained = false;
  const waiting = transport.drained().then(() => {
    drained = true;
  });
  await turn();
  assert.equal(drained, false);
  release();
  await waiting;
  assert.equal(transport.send(message), true);
  await transport.drained();
  await transport.close();
  assert.equal(Buffer.concat(writes).length, (sent + 1) * (message.bytes.length + 1));
});

test('one message larger than every mark still leaves', async () => {
  const { output, writes, release } = slowOutput();
  const { transport } = piped({ output, limits: { ...LIMITS, softQueueBytes: 10, hardQueueBytes: 100 } });
  const heard = new Heard().on(transport);
  assert.equal(transport.send(notificationMessage('x', { text: 'y'.repeat(1000) })), false);
  release();
  await transport.drained();
  assert.equal(transport.send(notificationMessage('x', { text: 'y'.repeat(1000) })), false);
  await transport.close();
  assert.deepEqual(
    heard.closed.map(({ code }) => code),
    ['done'],
  );
  assert.equal(Buffer.concat(writes).length > 2000, true);
});

test('a peer that never reads is closed with queue_full, and its sender is not left waiting', async () => {
  const { output } = slowOutput();
  const { transport } = piped({
    output,
    name: 'slowpoke',
    limits: { ...LIMITS, softQueueBytes: 1_000, hardQueueBytes: 10_000 },
  });
  const heard = new Heard().on(transport);
  transport.send(notificationMessage('x', { text: 'y'.repeat(1_000) }));
  const waiting = transport.drained();
  for (let count = 0; count < 20; count++) transport.send(notificationMessage('x', { text: 'y'.repeat(1_000) }));
  await waiting;
  await heard.until(({ closed }) => closed.length === 1);
  assert.equal(heard.closed[0]?.code, 'queue_full');
  assert.match(heard.closed[0]?.reason ?? '', /^slowpoke does not read: \d+ bytes/);
  assert.equal(output.destroyed, true);
});

test('close writes what is queued, then ends; it is idempotent and later messages are dropped', async () => {
  await using pair = await socketPair();
  const transport = streamTransport({ input: pair.ours, output: pair.ours, limits: LIMITS });
  const heard = new Heard().on(transport);
  const peer = new Heard().on(streamTransport({ input: pair.theirs, output: pair.theirs, limits: LIMITS }));
  for (let index = 0; index < 1000; index++) transport.send(notificationMessage('x', { text: 'y'.repeat(5_000) }));
  const reason = { code: 'away', reason: 'the process goes' };
  const all = [transport.close(reason), transport.close(), transport.close({ code: 'done', reason: 'other' })];
  assert.equal(transport.send(notificationMessage('late')), true);
  await Promise.all(all);
  await transport.drained();
  await peer.until(({ closed }) => closed.length === 1);
  assert.equal(peer.messages.length, 1000);
  assert.deepEqual(heard.closed, [reason]);
  assert.equal(pair.ours.destroyed, true);
});

test('close does not wait for a peer that does not read', async () => {
  await using pair = await socketPair();
  const transport = streamTransport({ input: pair.ours, output: pair.ours, limits: LIMITS });
  const heard = new Heard().on(transport);
  for (let index = 0; index < 100; index++) transport.send(notificationMessage('x', { text: 'y'.repeat(50_000) }));
  await transport.close();
  assert.equal(pair.ours.destroyed, true);
  assert.deepEqual(
    heard.closed.map(({ code }) => code),
    ['done'],
  );
});

test('a connection that breaks is connection_lost, once, whatever was going on', async () => {
  for (const act of ['destroy', 'reset', 'error'] as const) {
    await using pair = await socketPair('tcp');
    const transport = streamTransport({ input: pair.ours, output: pair.ours, limits: LIMITS, name: 'the gateway' });
    const heard = new Heard().on(transport);
    for (let index = 0; index < 50; index++) transport.send(notificationMessage('x', { text: 'y'.repeat(50_000) }));
    await once(pair.theirs, 'readable');
    if (act === 'destroy') pair.theirs.destroy();
    if (act === 'reset') pair.theirs.resetAndDestroy();
    if (act === 'error') pair.ours.destroy(Object.assign(new Error('gone'), { code: 'ECONNRESET' }));
    await heard.until(({ closed }) => closed.length === 1);
    await transport.close();
    assert.equal(heard.closed.length, 1);
    assert.equal(heard.closed[0]?.code, 'connection_lost');
    assert.match(heard.closed[0]?.reason ?? '', /^the connection to the gateway broke/);
    await transport.drained();
  }
});

test('errors before the start and after the end reach nobody but the owner', async () => {
  const early = piped();
  early.input.destroy(new Error('early'));
  early.output.destroy(new Error('early too'));
  await turn();
  const heard = new Heard().on(early.transport);
  await heard.until(({ closed }) => closed.length === 1);
  assert.equal(heard.closed[0]?.code, 'connection_lost');

  const late = piped();
  await late.transport.close();
  late.input.emit('error', new Error('late'));
  late.output.emit('error', new Error('late too'));
  const told = new Heard().on(late.transport);
  await told.until(({ closed }) => closed.length === 1);
  assert.equal(told.closed[0]?.code, 'done');
});

test('an input that had ended before the start is done', async () => {
  const { input, transport } = piped();
  input.resume().end();
  await once(input, 'end');
  const heard = new Heard().on(transport);
  await heard.until(({ closed }) => closed.length === 1);
  assert.equal(heard.closed[0]?.code, 'done');
});

test('what a child wrote before it died is delivered, although its stdin broke first', async () => {
  await using child = program(`
    require('node:fs').closeSync(0);
    const line = (id) => JSON.stringify({ jsonrpc: '2.0', id, result: 'y'.repeat(1000) }) + '\\n';
    process.stdout.write(Array.from({ length: 500 }, (_, id) => line(id)).join(''), () => process.exit(0));
  `);
  const transport = streamTransport({ input: child.stdout, output: child.stdin, limits: LIMITS });
  const heard = new Heard().on(transport, () => {
    // EPIPE, again and again.
    transport.send(notificationMessage('x', { text: 'y'.repeat(1000) }));
    transport.pause();
    setImmediate(() => transport.resume());
  });
  await heard.until(({ closed }) => closed.length === 1);
  assert.equal(heard.messages.length, 500);
  await transport.drained();
});

test('a reader that is gone ends the transport, although the input stays open', async () => {
  await using child = program('setInterval(() => {}, 1000); require("fs").closeSync(0); process.stdout.write("{}\\n")');
  const transport = streamTransport({ input: child.stdout, output: child.stdin, limits: LIMITS, name: 'the agent' });
  const heard = new Heard().on(transport);
  await heard.until(({ faults }) => faults.length === 1);
  transport.send(notificationMessage('x'));
  await heard.until(({ closed }) => closed.length === 1);
  assert.deepEqual(heard.closed, [{ code: 'connection_lost', reason: 'the connection to the agent broke (EPIPE)' }]);
});

test('a child that still talks when it is closed can end by itself', async () => {
  await using child = program(`
    process.stdin.resume().on('end', () => process.stdout.write('y'.repeat(4 * 1024 * 1024) + '\\n', () => process.exit(7)));
  `);
  const transport = streamTransport({ input: child.stdout, output: child.stdin, limits: LIMITS });
  const heard = new Heard().on(transport);
  transport.pause();
  const exited = once(child, 'exit');
  await transport.close();
  assert.deepEqual((await exited)[0], 7);
  assert.deepEqual([heard.messages.length, heard.faults.length, heard.closed.length], [0, 0, 1]);
});

test('after the end of input, answers to open requests are still written, for a while', async () => {
  const { input, output, transport } = piped({ answersAfterEndMs: 60_000 });
  const heard = new Heard().on(transport);
  input.end(
    '{"jsonrpc":"2.0","id":1,"method":"x"}\n{"jsonrpc":"2.0","id":2,"method":"x"}\n{"jsonrpc":"2.0","method":"n"}\n',
  );
  await heard.until(({ messages }) => messages.length === 3);
  await turn();
  transport.send(resultMessage('2', {}));
  await turn();
  assert.equal(heard.closed.length, 0);
  transport.send(notificationMessage('y'));
  transport.send(resultMessage('1', {}));
  await heard.until(({ closed }) => closed.length === 1);
  assert.equal(heard.closed[0]?.code, 'done');
  assert.equal(String(output.read()).split('\n').length, 4);
});

test('an answer that never comes does not keep it open for ever', async () => {
  const { input, transport } = piped({ answersAfterEndMs: 20 });
  const heard = new Heard().on(transport);
  input.end('{"jsonrpc":"2.0","id":1,"method":"x"}\n');
  await heard.until(({ closed }) => closed.length === 1);
  assert.equal(heard.closed[0]?.code, 'done');
});

test('any Duplex carries it, one byte at a time', async () => {
  const far = new PassThrough();
  const slow = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      far.write(chunk);
      done();
    },
  });
  const heard = new Heard().on(streamTransport({ input: slow, output: slow, limits: LIMITS }));
  for (const byte of Buffer.from('{"jsonrpc":"2.0","id":"é","method":"x"}\n')) slow.push(Buffer.from([byte]));
  slow.push(null);
  await heard.until(({ closed }) => closed.length === 1);
  assert.equal(heard.messages[0]?.id, '"é"');
});
