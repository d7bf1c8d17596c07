// Secrets in any of their forms are taken out of text; the rest of it stays what it is.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { MIN_HIDDEN_BYTES, OutputFilter } from '../src/index.ts';

function filterOf(...secrets: (string | Uint8Array)[]): OutputFilter {
  const filter = new OutputFilter();
  for (const secret of secrets) filter.hide(secret);
  return filter;
}

/** As programs write a secret that they should not write. */
const FORMS: Readonly<Record<string, (secret: string) => string>> = {
  raw: (secret) => secret,
  json: (secret) => JSON.stringify({ token: secret }),
  'json in json': (secret) => JSON.stringify(JSON.stringify({ token: secret })),
  'json in ascii': (secret) =>
    JSON.stringify(secret).replace(/[\x7f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
  base64: (secret) => Buffer.from(secret).toString('base64'),
  base64url: (secret) => Buffer.from(secret).toString('base64url'),
  'base64 of a pair': (secret) => Buffer.from(`user:${secret}`).toString('base64'),
  'base64 inside': (secret) => Buffer.from(`ab${secret}cde`).toString('base64url'),
  hex: (secret) => Buffer.from(secret).toString('hex'),
  'hex in capitals': (secret) => Buffer.from(secret).toString('hex').toUpperCase(),
  url: (secret) => `https://h/?key=${encodeURIComponent(secret)}&x=1`,
  'url in small letters': (secret) => encodeURIComponent(secret).replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
  form: (secret) => new URLSearchParams({ key: secret }).toString(),
  'in a sentence': (secret) => `the token (${secret}) was refused`,
};

const SECRETS = ['c4n4ry-9f2e7b1d', 'p@ss w"rd\\n/+&=<%>', 'Grüße-漢字-🔑', 'x'.repeat(300), 'ab"\n\t"cd ef'];

test('T14 a secret is found in every form that it is written in', () => {
  for (const secret of SECRETS) {
    const filter = filterOf(secret);
    for (const [name, form] of Object.entries(FORMS)) {
      const clean = filter.clean(form(secret));
      assert.ok(clean.includes('[secret]'), `${name} of ${secret}: ${clean}`);
      for (const hidden of [secret, secret.slice(1, -1)]) assert.ok(!clean.includes(hidden), `${name}: ${clean}`);
    }
  }
});

test('any secret in any text is taken out, whatever stands around', () => {
  const secret = fc.string({ unit: 'grapheme', minLength: MIN_HIDDEN_BYTES, maxLength: 60 });
  const around = fc.string({ unit: 'grapheme', maxLength: 40 });
  fc.assert(
    fc.property(secret, around, around, fc.constantFrom(...Object.values(FORMS)), (value, before, after, form) => {
      const clean = filterOf(value).clean(`${before} ${form(value)} ${after}`);
      assert.ok(clean.includes('[secret]'), clean);
    }),
    { numRuns: 500 },
  );
});

test('text without a secret stays as it is, and so do its neighbours', () => {
  const filter = filterOf('c4n4ry-9f2e7b1d', 'c4n4ry-9f2e7b1d-longer');
  assert.equal(filter.clean('c4n4ry-9f2e7b1'), 'c4n4ry-9f2e7b1');
  assert.equal(filter.clean('xc4n4ry-9f2e7b1dyc4n4ry-9f2e7b1d-longerz'), 'x[secret]y[secret]z');
  assert.equal(new OutputFilter().clean('anything'), 'anything');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      fc.pre(!/c4n4ry|Yzgubm|NG40cn|M0bjRye/.test(text));
      assert.equal(filter.clean(text), text);
    }),
  );
});

test('a line of a private key is found without the others; its first line is in every key and stays', () => {
  const line = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ';
  const filter = filterOf(`-----BEGIN PRIVATE KEY-----\n${line}\n${line.toLowerCase()}\n-----END PRIVATE KEY-----\n`);
  assert.equal(filter.clean(`key: ${line}`), 'key: [secret]');
  assert.equal(filter.clean('-----BEGIN PRIVATE KEY-----'), '-----BEGIN PRIVATE KEY-----');
});

test('bytes that are no text are found as hex and base64', () => {
  const bytes = Uint8Array.from({ length: 32 }, (_, at) => (at * 37) % 256);
  const filter = filterOf(bytes);
  for (const encoding of ['hex', 'base64', 'base64url'] as const) {
    assert.equal(filter.clean(Buffer.from(bytes).toString(encoding)).startsWith('[secret]'), true, encoding);
  }
});

test('what is shorter than 8 bytes cannot be hidden, and that is said', () => {
  const filter = new OutputFilter();
  assert.equal(filter.hide('1234567'), false);
  assert.equal(filter.clean('1234567'), '1234567');
  assert.equal(filter.hide('12345678'), true);
  assert.equal(filter.hide('ключ'), true);
  assert.equal(filter.clean('12345678 ключ'), '[secret] ключ');
});

test('a line of a log costs the same with one secret and with a thousand', () => {
  const line = JSON.stringify({ level: 30, msg: 'backend is back', fields: 'x'.repeat(400) });
  const msPerLine = (secrets: number): number => {
    const filter = filterOf(...Array.from({ length: secrets }, (_, at) => `secret-number-${at}-of-many`));
    filter.clean(line);
    const start = performance.now();
    for (let round = 0; round < 500; round += 1) filter.clean(line);
    return (performance.now() - start) / 500;
  };
  const [one, thousand] = [Math.min(msPerLine(1), msPerLine(1)), Math.min(msPerLine(1000), msPerLine(1000))];
  assert.ok(thousand < one * 5 + 0.05, `${one} ms with 1, ${thousand} ms with 1000`);
});

/** A program of one command that goes wrong as `script` says. */
function run(script: string): string {
  const source = `
    import { hideFromOutput, main, openLog, say, printTable, printJson, print } from '${join(import.meta.dirname, '../src/index.ts')}';
    const secret = process.env.C;
    hideFromOutput(secret);
    await main({ name: 'mcp-x', describe: 'x', commands: [{ usage: 'go', describe: 'go', run: async () => { ${script}; return 0; } }] }, ['go']);
  `;
  const env = { ...process.env, C: SECRETS[0] };
  const args = ['--import', 'tsx', '--input-type=module', '-e', source];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
  return `${status}\n${stdout}${stderr}`;
}

test('T14 nothing that a program writes shows a secret: logs, sentences, tables, errors, crashes', () => {
  const ways: readonly (readonly [string, RegExp])[] = [
    ["openLog({ program: 'mcp-x' }).info({ line: `got ${secret}` }, 'event')", /got \[secret\]/],
    ["openLog({ program: 'mcp-x', format: 'pretty' }).info({ line: secret }, 'event')", /line="?\[secret\]/],
    ['printTable(["a"], [[secret]])', /\[secret\]/],
    ['printJson({ a: secret })', /"\[secret\]"/],
    ['print(secret)', /\[secret\]/],
    ['throw Object.assign(new Error(`bad ${secret}`), { code: "usage" })', /^2\nmcp-x: bad \[secret\] \(usage\)/],
    ['throw new Error(`bad ${secret}`)', /^1\nmcp-x: Error: bad \[secret\]\n(?:.*\n)* +at /],
    [
      'setTimeout(() => { throw new Error(`late ${secret}`); }, 1); await new Promise(() => setTimeout(() => {}, 5000))',
      /^1\nmcp-x: Error: late \[secret\]/,
    ],
    [
      'void Promise.reject(new Error(`lost ${secret}`)); await new Promise(() => setTimeout(() => {}, 5000))',
      /^1\nmcp-x: Error: lost \[secret\]/,
    ],
  ];
  for (const [script, wanted] of ways) {
    const output = run(script);
    assert.match(output, wanted, script);
    assert.ok(!output.includes(SECRETS[0] ?? ''), output);
  }
});
