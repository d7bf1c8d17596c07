import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { cleanLine, readDiagnostics, tellingLine } from '../../../src/transports/child/diagnostics.ts';

function setup(maxBytes = 64 * 1024) {
  const input = new PassThrough();
  const lines: string[] = [];
  const clock = { now: 0 };
  const diagnostics = readDiagnostics({
    input,
    name: 'fs',
    maxBytes,
    now: () => clock.now,
    onLine: (line) => lines.push(line),
  });
  const finish = async (...chunks: (string | Buffer)[]) => {
    for (const chunk of chunks) input.write(chunk);
    input.end();
    await diagnostics.readRest();
  };
  return { diagnostics, lines, clock, input, finish };
}

test('lines arrive with the prefix of the backend, whole, however they are cut', async () => {
  const bytes = Buffer.from('erste Zeile: häßlich\nsecond\r\nlast without end');
  for (let at = 0; at <= bytes.length; at += 1) {
    const { lines, finish } = setup();
    await finish(bytes.subarray(0, at), bytes.subarray(at));
    assert.deepEqual(lines, ['[fs] erste Zeile: häßlich', '[fs] second', '[fs] last without end']);
  }
});

test('control characters and terminal sequences do not pass', () => {
  assert.equal(cleanLine('\x1b[31mred\x1b[0m \x1b]0;title\x07plain'), 'red plain');
  assert.equal(cleanLine('a\x00b\x07c\x9bd'), 'a\ufffdb\ufffdc\ufffdd');
  assert.equal(cleanLine('abc\u202edef'), 'abc\ufffddef');
  assert.equal(cleanLine('\ttab stays'), '\ttab stays');
});

test('no input leaves a character that moves a terminal', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (raw) => {
      assert.doesNotMatch(cleanLine(raw), /[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029]/);
    }),
    { numRuns: 2000 },
  );
});

test('the ring keeps the last bytes in whole lines, however much came', async () => {
  const { diagnostics, finish } = setup(1000);
  await finish(Array.from({ length: 5000 }, (_, n) => `line ${n}: ä`).join('\n'));
  const tail = diagnostics.tail();
  assert.ok(Buffer.byteLength(tail) <= 1000);
  assert.match(tail, /^line \d+: ä\n/);
  assert.match(tail, /line 4999: ä\n$/);
});

test('a line without an end is shown in pieces and held in bounded memory', async () => {
  const { lines, diagnostics, finish } = setup();
  await finish(...Array.from({ length: 64 }, () => 'x'.repeat(4096)));
  assert.ok(lines.every((line) => line.length <= 2010));
  assert.ok(diagnostics.tail().length <= 64 * 1024);
});

test('above a rate lines are counted and not shown, and the count is told', async () => {
  const { lines, input, clock, diagnostics } = setup();
  for (let n = 0; n < 500; n += 1) input.write(`line ${n}\n`);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(lines.length, 200);
  clock.now += 20_000;
  input.end('after the storm\n');
  await diagnostics.readRest();
  assert.deepEqual(lines.slice(200), ['[fs] (300 more lines not shown)', '[fs] after the storm']);
});

test('a flood is paused between bursts, so that the writer waits', async () => {
  const { input, diagnostics } = setup();
  input.write(Buffer.alloc(300 * 1024, 'x\n'));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(input.isPaused(), true);
  input.end();
  await diagnostics.readRest();
});

test('the line that says why is found above a stack trace and the version footer', () => {
  const node =
    "node:internal/modules\n  throw err;\n\nError: Cannot find module 'x'\n    at a (b)\n    at c (d) {\n  code: 1\n}\n\nNode.js v20.20.2\n";
  assert.equal(tellingLine(node), "Error: Cannot find module 'x'");
  assert.equal(tellingLine('starting\nlast words\n'), 'last words');
  assert.equal(tellingLine(''), undefined);
});
