import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RelayError } from '../../src/errors.ts';
import { recognise } from '../../src/link/first-bytes.ts';
import { duplexPair, HandClock, Raw, settle } from './support.ts';

const KNOWN = [
  ['MCP-LINK/1 {"link":null}\n', 'link'],
  ['{"jsonrpc":"2.0","method":"x"}\n', 'ndjson'],
  ['GET /sse HTTP/1.1\r\n\r\n', 'http'],
  ['POST / HTTP/1.1\r\n\r\n', 'http'],
  ['DELETE /mcp HTTP/1.1\r\n\r\n', 'http'],
  ['OPTIONS * HTTP/1.1\r\n\r\n', 'http'],
] as const;

for (const [bytes, protocol] of KNOWN) {
  test(`${bytes.slice(0, 9).trim()} is ${protocol}, in pieces of every size, and no byte is lost`, async () => {
    for (let pieceBytes = 1; pieceBytes <= bytes.length; pieceBytes += 1) {
      const [near, far] = duplexPair({ pieceBytes });
      near.write(bytes);
      const seen = await recognise(far, { timeoutMs: 1000 });
      assert.equal(seen.protocol, protocol);
      assert.equal(far.isPaused(), true);
      let text = seen.head.toString();
      far.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      far.resume();
      near.end();
      await new Promise((resolve) => far.once('end', resolve));
      assert.equal(text, bytes);
      near.destroy();
      far.destroy();
    }
  });
}

test('anything else gets one line that says what is spoken here, and is closed', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 30 }), async (bytes) => {
      const text = Buffer.from(bytes).toString('latin1');
      fc.pre(!/^(M|\{|G|P|D|O|H|T|C)/.test(text));
      const [near, far] = duplexPair();
      const raw = new Raw(near);
      near.write(Buffer.from(bytes));
      await assert.rejects(
        recognise(far, { timeoutMs: 1000 }),
        (error) => error instanceof RelayError && error.code === 'unknown_protocol',
      );
      const answer = await raw.json('');
      assert.deepEqual((answer.error as { data: unknown }).data, { error: 'unknown_protocol' });
      assert.equal(await raw.line(), null);
      near.destroy();
    }),
    { numRuns: 100 },
  );
});

test('almost one of them is none of them', async () => {
  for (const bytes of [
    'MCP-LINX/1 ',
    'GETTY ',
    'POS T',
    'get / HTTP/1.1',
    '[{"jsonrpc":"2.0"}]',
    ' {',
    '\u{feff}{',
    'SSH-2.0-x\r\n',
  ]) {
    const [near, far] = duplexPair({ pieceBytes: 1 });
    const raw = new Raw(near);
    near.write(bytes);
    await assert.rejects(recognise(far, { timeoutMs: 1000 }), /nothing this host speaks/);
    assert.match((await raw.line()) ?? '', /unknown_protocol/);
    near.destroy();
  }
});

test('a connection that says nothing, or half of a first word, is closed after its time', async () => {
  for (const bytes of ['', 'MCP-LI']) {
    const clock = new HandClock();
    const [near, far] = duplexPair();
    if (bytes) near.write(bytes);
    const recognised = recognise(far, { timeoutMs: 10_000, clock });
    recognised.catch(() => {});
    await clock.pass(9_999);
    assert.equal(far.destroyed, false);
    await clock.pass(1);
    await assert.rejects(recognised, (error) => error instanceof RelayError && error.code === 'link_timeout');
    assert.equal(far.destroyed, true);
    near.destroy();
  }
});

test('a connection that ends or breaks before its first word is an error, never an exception', async () => {
  const [near, far] = duplexPair();
  near.end('GE');
  await assert.rejects(
    recognise(far, { timeoutMs: 1000 }),
    (error) => error instanceof RelayError && error.code === 'connection_lost',
  );
  const [, other] = duplexPair();
  const recognised = recognise(other, { timeoutMs: 1000 });
  other.destroy(new Error('torn'));
  await assert.rejects(recognised, /torn/);
  await settle();
});
