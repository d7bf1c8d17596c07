import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RelayError } from '../../src/errors.ts';
import { readControl } from '../../src/link/control.ts';
import { encodeHello, encodeRefusal, encodeWelcome, readAnswer, readHello } from '../../src/link/preamble.ts';
import { SESSION } from './support.ts';

const line = (text: string): Buffer => Buffer.from(text.replace(/\n$/, ''));
const id = fc.stringMatching(/^[0-9a-f]{32}$/);
const proof = fc.option(fc.dictionary(fc.string(), fc.string()));

test('what is written is what is read', () => {
  fc.assert(
    fc.property(
      fc.record({
        link: fc.option(id),
        got: fc.nat(),
        session: id,
        by: fc.stringMatching(/^[a-z/0-9.]{1,40}$/),
        via: fc.array(fc.stringMatching(/^[a-z0-9]{1,64}$/), { maxLength: 32 }),
        proof,
      }),
      (hello) =>
        assert.deepEqual(readHello(line(encodeHello(hello))), { ...hello, proof: hello.proof && { ...hello.proof } }),
    ),
  );
  fc.assert(
    fc.property(
      fc.record(
        {
          link: id,
          got: fc.nat(),
          fresh: fc.boolean(),
          window: fc.nat(),
          by: fc.constant('host/1'),
          proof: fc.constant(null),
          once: fc.nat({ max: 604_800 }),
          ledger: id,
          kept: fc.boolean(),
        },
        { requiredKeys: ['link', 'got', 'fresh', 'window', 'by', 'proof'] },
      ),
      (welcome) => assert.deepEqual(readAnswer(line(encodeWelcome(welcome))), { ...welcome }),
    ),
  );
  const read = (more: object): object =>
    readAnswer(line(`MCP-LINK/1 ${JSON.stringify({ link: 'a'.repeat(32), fresh: true, got: 0, ...more })}`));
  // Nobody is asked again for longer than a week; what is none of these says nothing.
  assert.equal((read({ once: 1e9 }) as { once: number }).once, 604_800);
  assert.equal('kept' in read({ kept: 'yes' }), false);
  for (const wrong of [{ once: -1 }, { once: '60' }, { ledger: 'x' }]) assert.throws(() => read(wrong), RelayError);
  const refusal = { code: 'busy', reason: 'too many', retryMs: 10 };
  assert.deepEqual(readAnswer(line(encodeRefusal(refusal))), { error: refusal });
});

test('whatever a stranger sends as first line, the answer is a preamble or a typed error', () => {
  const good = `MCP-LINK/1 {"link":null,"got":0,"session":"${SESSION}","by":"x"}`;
  const mutated = fc
    .tuple(fc.nat(good.length), fc.nat(4), fc.string({ unit: 'binary', maxLength: 4 }))
    .map(([at, cut, put]) => good.slice(0, at) + put + good.slice(at + cut));
  const json = fc.json().map((text) => `MCP-LINK/1 ${text}`);
  fc.assert(
    fc.property(fc.oneof(mutated, json, fc.string({ unit: 'binary' })), (text) => {
      for (const read of [readHello, readAnswer]) {
        try {
          read(Buffer.from(text));
        } catch (error) {
          assert.equal(error instanceof RelayError, true, String(error));
        }
      }
    }),
    { numRuns: 3000 },
  );
});

test('fields of the wrong type or size are refused, unknown ones ignored, missing ones have their default', () => {
  const base = { link: null, got: 0, session: SESSION, by: 'x' };
  const bad = [
    { link: 'short' },
    { link: 'A'.repeat(32) },
    { link: 7 },
    { got: -1 },
    { got: 1.5 },
    { got: 2 ** 53 },
    { got: '1' },
    { session: undefined },
    { session: `${SESSION}0` },
    { via: 'x' },
    { via: [1] },
    { via: ['x'.repeat(65)] },
    { via: Array.from({ length: 33 }, () => 'x') },
    { proof: 'x' },
    { proof: [] },
  ];
  for (const change of bad) {
    const text = `MCP-LINK/1 ${JSON.stringify({ ...base, ...change })}`;
    assert.throws(() => readHello(Buffer.from(text)), { code: 'link_protocol' }, JSON.stringify(change));
  }
  const read = readHello(
    Buffer.from(`MCP-LINK/1 {"session":"${SESSION}","by":7,"colour":"red","via":null}`.replace(',"via":null', '')),
  );
  assert.deepEqual(read, { link: null, got: 0, session: SESSION, by: 'unknown', via: [], proof: null });
});

test('versions: the host reads a higher one, refuses none; the dialer takes only its own', () => {
  assert.equal(readHello(Buffer.from(`MCP-LINK/7 {"session":"${SESSION}"}`)).session, SESSION);
  assert.throws(() => readHello(Buffer.from(`MCP-LINK/0 {"session":"${SESSION}"}`)), { code: 'link_version' });
  assert.throws(() => readAnswer(Buffer.from(`MCP-LINK/2 {"link":"${SESSION}","fresh":true}`)), {
    code: 'link_version',
  });
  assert.throws(() => readAnswer(Buffer.from('HTTP/1.1 400 Bad Request')), { code: 'peer_speaks_http' });
});

test('text of a peer is made safe to show, and its size is bounded', () => {
  const hostile = `a\u001b[31m\n\u202e${'x'.repeat(5000)}`;
  const hello = readHello(Buffer.from(`MCP-LINK/1 ${JSON.stringify({ session: SESSION, by: hostile })}`));
  assert.match(hello.by, /^a\?\[31m\?\?x+$/);
  assert.equal(hello.by.length, 200);
  const answer = readAnswer(
    Buffer.from(`MCP-LINK/1 ${JSON.stringify({ error: { code: 'Not A Code', reason: hostile, retryMs: 1e15 } })}`),
  );
  assert.equal('error' in answer && answer.error.code, 'link_refused');
  assert.equal('error' in answer && answer.error.reason.length, 500);
  assert.equal('error' in answer && answer.error.retryMs, 3_600_000);
});

test('control lines: known words are read strictly, everything else is ignored', () => {
  const cases: [string, unknown][] = [
    ['!ack 17', { word: 'ack', n: 17 }],
    ['!ack 17 and more', { word: 'ack', n: 17 }],
    ['!ping 0\r', { word: 'ping', n: 0 }],
    ['!pong 9007199254740991', { word: 'pong', n: 9007199254740991 }],
    ['!ack 9007199254740992', { word: 'malformed' }],
    ['!ack 99999999999999999999', { word: 'malformed' }],
    ['!ack', { word: 'malformed' }],
    ['!ack -1', { word: 'malformed' }],
    ['!ack 1e3', { word: 'malformed' }],
    ['!ping x', { word: 'malformed' }],
    ['!close {"code":"away","reason":"r","x":1}', { word: 'close', reason: { code: 'away', reason: 'r' } }],
    ['!close', { word: 'close', reason: { code: 'done', reason: '' } }],
    ['!close nonsense', { word: 'close', reason: { code: 'done', reason: '' } }],
    ['!acknowledge 3', { word: 'unknown' }],
    ['!compress zstd', { word: 'unknown' }],
    ['!proof {"token":"t"}', { word: 'unknown' }],
    ['!', { word: 'unknown' }],
    ['!ACK 3', { word: 'unknown' }],
  ];
  for (const [text, expected] of cases) assert.deepEqual(readControl(Buffer.from(text)), expected, text);
});
