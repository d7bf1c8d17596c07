import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import fc from 'fast-check';
import { quoteWord } from '../src/describe.ts';
import { describeBackends } from '../src/index.ts';
import { configOf, withBackend } from './read.ts';

const line = (transport: string): string | undefined => describeBackends(configOf(withBackend('', transport)))[0];

test('a line says exactly what will run, and names of variables but no values', () => {
  assert.equal(
    line('type: stdio, command: npx, args: [-y, "a b", "it\'s"], env: { K: value1, L: "2" }, env_pass: [TZ], cwd: /x'),
    "a: npx -y 'a b' 'it'\\''s' (in /x; env K, L; passes TZ)",
  );
  assert.equal(line('type: stdio, command: srv'), 'a: srv');
  assert.equal(line('type: share, share_token: box, overlay: local'), 'a: share box (on local)');
  assert.equal(
    line('type: https, endpoint: "https://u:pw@h.example/mcp?key=v#f", headers: { X-A: secret1 }'),
    'a: https://h.example/mcp?… (auto; headers X-A, Authorization)',
  );
  assert.equal(
    line(
      'type: https, endpoint: "https://h/", protocol: auto, tls: { insecure_skip_verify: true, ca_cert_file: /c.pem }',
    ),
    'a: https://h/ (auto; certificate not checked; ca /c.pem)',
  );
});

test('arguments that look like secrets are hidden', () => {
  const key = ['ghp', 'abcdefghijklmnop0123'].join('_');
  assert.equal(
    line(`type: stdio, command: srv, args: ["${key}", "--key=${key}", "--api-key", "short-one", "-v"]`),
    "a: srv '<hidden>' '--key=<hidden>' --api-key '<hidden>' -v",
  );
});

test('a disabled backend says only that', () => {
  const text = `${withBackend('')}  - { id: b, disabled: true, transport: { type: stdio, command: x } }\n`;
  assert.deepEqual(describeBackends(configOf(text)), ['a: srv', 'b: disabled']);
});

test('a shell takes a quoted word back as it was, and nothing in it reaches the terminal', () => {
  const word = fc.string({
    unit: fc.constantFrom('a', "'", '"', ' ', '\\', '$', '`', '\n', '\u001b', '\u202e', 'é', '~', '*', '<'),
    maxLength: 12,
  });
  const words = fc.sample(word, 200);
  const env = { PATH: process.env.PATH ?? '', LC_ALL: 'C.UTF-8' };
  const out = execFileSync('bash', ['-c', `printf '%s\\0' ${words.map(quoteWord).join(' ')}`], {
    encoding: 'utf8',
    env,
  });
  assert.deepEqual(out.split('\0').slice(0, -1), words);
  for (const one of words) assert.doesNotMatch(quoteWord(one), /[\p{Cc}\p{Cf}]/u);
});
