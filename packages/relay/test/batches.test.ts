// Batches of revision 2025-03-26: taken apart where they come in, answered as JSON-RPC wants it, refused to everybody else.

import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { splitBatch } from '../src/batches.ts';
import { isFault, readMessage, resultMessage } from '../src/json-rpc.ts';
import { LIMITS } from '../src/limits.ts';
import type { Fault, Message } from '../src/message.ts';
import { streamTransport } from '../src/transports/stream.ts';
import { door, exchange, initializeRequest, messagesOf, newSession, POST_HEADERS } from './transports/http/harness.ts';

/** A server at the other end of a stream; `lines` is what the client reads. */
function house(version = '2025-03-26', limits: Partial<typeof LIMITS> = {}) {
  const input = new PassThrough();
  const output = new PassThrough();
  const transport = streamTransport({ input, output, limits: { ...LIMITS, ...limits } as typeof LIMITS });
  const got: (Message | Fault)[] = [];
  const lines: string[] = [];
  const waiting: (() => void)[] = [];
  const wake = (): void => {
    for (const resolve of waiting.splice(0)) resolve();
  };
  let rest = '';
  output.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
    wake();
  });
  const took = (item: Message | Fault): void => {
    got.push(item);
    wake();
  };
  transport.start({ message: took, fault: took, closed: () => {} });
  const until = async (done: () => boolean): Promise<void> => {
    while (!done()) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  return {
    got,
    lines,
    until,
    transport,
    write: (value: unknown) => input.write(`${typeof value === 'string' ? value : JSON.stringify(value)}\n`),
    answer: (id: string, result: unknown = {}) => transport.send(resultMessage(id, result)),
    async greeted() {
      input.write(`${JSON.stringify(initializeRequest(version))}\n`);
      await until(() => got.length === 1);
      transport.send(resultMessage('0', { protocolVersion: version }));
      await until(() => lines.length === 1);
      got.length = 0;
      lines.length = 0;
    },
    async [Symbol.asyncDispose]() {
      await transport.close();
    },
  };
}

const call = (id: unknown, method = 'tools/call') => ({ jsonrpc: '2.0', id, method });
const ids = (items: readonly (Message | Fault)[]) => items.map((item) => item.id);

test('whatever stands in an array comes out as it was written', () => {
  const text = fc.json({ maxDepth: 3 });
  const blank = fc.constantFrom('', ' ', '\t', '  ');
  fc.assert(
    fc.property(fc.array(fc.tuple(blank, text, blank), { minLength: 1, maxLength: 20 }), (items) => {
      const parts = items.map(([before, params, after]) => {
        const message = `{"jsonrpc":"2.0","id":"[,]\\"{","method":"x","params":[${params}]}`;
        return { message, written: `${before}${message}${after}` };
      });
      const split = splitBatch(Buffer.from(` [${parts.map(({ written }) => written).join(',')}] `), LIMITS);
      assert.ok(!('code' in split));
      assert.deepEqual(
        split.map((part) => (isFault(part) ? part.code : part.bytes.toString().trim())),
        parts.map(({ message }) => message),
      );
    }),
    { numRuns: 500 },
  );
});

test('a batch of lines is answered by one array, when the last answer is there', async () => {
  await using line = house();
  await line.greeted();
  line.write([call(1), { jsonrpc: '2.0', method: 'notifications/progress' }, call('1'), call(2)]);
  await line.until(() => line.got.length === 4);
  assert.deepEqual(ids(line.got), ['1', undefined, '"1"', '2']);
  line.answer('"1"', { b: 1 });
  line.answer('2');
  line.transport.send(
    readMessage(Buffer.from('{"jsonrpc":"2.0","method":"notifications/message"}'), LIMITS) as Message,
  );
  line.answer('1', { n: 1 });
  await line.until(() => line.lines.length === 2);
  // What is told meanwhile does not wait.
  assert.match(line.lines[0] ?? '', /notifications\/message/);
  assert.deepEqual(
    JSON.parse(line.lines[1] ?? '').map(({ id, result }: { id: unknown; result: unknown }) => [id, result]),
    [
      ['1', { b: 1 }],
      [2, {}],
      [1, { n: 1 }],
    ],
  );
});

test('a request that is taken back is not waited for, one that comes alone is answered alone', async () => {
  await using line = house();
  await line.greeted();
  line.write([call(1), call(2)]);
  line.write(call(3));
  await line.until(() => line.got.length === 3);
  line.answer('3');
  line.answer('1');
  line.write({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 2 } });
  await line.until(() => line.lines.length === 2);
  assert.deepEqual([JSON.parse(line.lines[0] ?? '').id, JSON.parse(line.lines[1] ?? '').length], [3, 1]);
});

test('what is no message in a batch is answered beside the others; notifications alone are not', async () => {
  await using line = house();
  await line.greeted();
  line.write('[1,{"jsonrpc":"2.0","id":7,"method":"ping"},{"id":8,"method":"old"}]');
  await line.until(() => line.got.length === 1);
  line.answer('7');
  await line.until(() => line.lines.length === 1);
  assert.deepEqual(
    JSON.parse(line.lines[0] ?? '').map(({ id, error }: { id: unknown; error?: { code: number } }) => [
      id,
      error?.code,
    ]),
    [
      [null, -32600],
      [8, -32600],
      [7, undefined],
    ],
  );
  line.write('[{"jsonrpc":"2.0","method":"a"},{"jsonrpc":"2.0","method":"b"}]');
  line.write(call(9));
  await line.until(() => line.got.length === 4);
  line.answer('9');
  await line.until(() => line.lines.length === 2);
});

test('batches are refused to every other revision, before the greeting, empty, and over batchMessages', async () => {
  for (const version of ['2024-11-05', '2025-06-18', '2025-11-25']) {
    await using line = house(version);
    line.write([call(1)]);
    await line.until(() => line.got.length === 1);
    line.got.length = 0;
    await line.greeted();
    line.write([call(1)]);
    await line.until(() => line.got.length === 1);
    assert.equal((line.got[0] as Fault).code, 'batch');
  }
  await using line = house();
  await line.greeted();
  line.write([]);
  line.write(Array.from({ length: LIMITS.batchMessages }, (_, id) => call(id)));
  line.write(Array.from({ length: LIMITS.batchMessages + 1 }, (_, id) => call(1000 + id)));
  await line.until(() => line.got.length === LIMITS.batchMessages + 2);
  assert.equal((line.got[0] as Fault).code, 'not_json_rpc');
  assert.equal((line.got.at(-1) as Fault).code, 'batch_too_large');
});

test('answers that are too large to be held leave alone', async () => {
  await using line = house('2025-03-26', { softQueueBytes: 1000 as never });
  await line.greeted();
  line.write([call(1), call(2), call(3)]);
  await line.until(() => line.got.length === 3);
  line.answer('1', { small: true });
  line.answer('2', { big: 'x'.repeat(2000) });
  line.answer('3');
  await line.until(() => line.lines.length === 2);
  assert.deepEqual(
    line.lines
      .map((text) => JSON.parse(text))
      .map((said) => (Array.isArray(said) ? said.map(({ id }) => id) : said.id)),
    [2, [1, 3]],
  );
});

test('over HTTP the answers of a batch share a stream; one of notices is taken with 202', async () => {
  await using open = await door();
  const session = await newSession(open.url, '2025-03-26');
  const headers = { ...POST_HEADERS, ...session };
  const callOf = (id: unknown, name: string) => ({
    ...call(id),
    params: { name, arguments: { text: 't', ping: false }, _meta: { progressToken: id } },
  });
  const { status, body } = await exchange(open.url, {
    headers,
    body: [callOf(1, 'echo'), callOf('p', 'progress'), call(2, 'ping')],
  });
  assert.equal(status, 200);
  const messages = messagesOf(body);
  assert.deepEqual(
    messages
      .filter(({ method }) => method === undefined)
      .map(({ id }) => String(id))
      .sort(),
    ['1', '2', 'p'],
  );
  assert.equal(messages.filter(({ method }) => method === 'notifications/progress').length, 3);
  const notices = [
    { jsonrpc: '2.0', method: 'a' },
    { jsonrpc: '2.0', method: 'b' },
  ];
  assert.equal((await exchange(open.url, { headers, body: notices })).status, 202);
  const owner = await open.owner();
  await owner.notice('b');
  const refused = async (what: unknown, say: RegExp): Promise<void> => {
    const reply = await exchange(open.url, { headers, body: what });
    assert.equal(reply.status, 400);
    assert.match(reply.body, say);
  };
  await refused([call(1, 'ping'), call(1, 'ping')], /is open/);
  await refused([call(1, 'ping'), initializeRequest('2025-03-26', 5)], /initialized already/);
  await refused([call(1, 'ping'), 7], /no JSON-RPC/);
  await refused(
    Array.from({ length: LIMITS.batchMessages + 1 }, (_, id) => call(id, 'ping')),
    /a batch of more than/,
  );
});

test('over HTTP other revisions are refused; without sessions the header tells, or its absence', async () => {
  await using open = await door();
  const session = await newSession(open.url, '2025-06-18');
  const reply = await exchange(open.url, {
    headers: { ...POST_HEADERS, ...session },
    body: [call(1, 'ping'), call(2, 'ping')],
  });
  assert.equal(reply.status, 400);
  assert.match(reply.body, /a batch, which only revision 2025-03-26 has/);
  await using bare = await door({ stateless: true, jsonResponse: true });
  const taken = await exchange(bare.url, {
    body: [call(1, 'ping'), call(2, 'tools/list'), { jsonrpc: '2.0', method: 'x' }],
  });
  assert.deepEqual(
    messagesOf(taken.body).map(({ id }) => id),
    [1, 2],
  );
  const newer = { ...POST_HEADERS, 'mcp-protocol-version': '2025-06-18' };
  assert.equal((await exchange(bare.url, { headers: newer, body: [call(1, 'ping'), call(2, 'ping')] })).status, 400);
});

test('the end of a session answers what is open of a batch, each once', async () => {
  await using open = await door();
  const session = await newSession(open.url, '2025-03-26');
  const hold = (id: number) => ({ ...call(id), params: { name: 'hold' } });
  const answered = exchange(open.url, { headers: { ...POST_HEADERS, ...session }, body: [hold(1), hold(2)] });
  const owner = await open.owner();
  await owner.until(() => owner.held.length === 2);
  await owner.transport.close();
  assert.deepEqual(
    messagesOf((await answered).body).map(({ id, error }) => [id, typeof error.code]),
    [
      [1, 'number'],
      [2, 'number'],
    ],
  );
});
