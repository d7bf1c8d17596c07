// References where variables and headers are written: read in our files, text like any other in those of other programs.

import assert from 'node:assert/strict';
import test from 'node:test';
import { type ConfiguredText, looksSecret } from '../../src/index.ts';
import { configOf, notesOf, onlyTransport, parse, problemsOf, withBackend } from '../read.ts';

const env = (value: string): string => withBackend('', `type: stdio, command: srv, env: { A: '${value}' }`);
const header = (value: string): string =>
  withBackend('', `type: https, endpoint: "https://h.example/", headers: { Authorization: '${value}' }`);

/** As written, references in braces. */
function partsOf(text: ConfiguredText | undefined): string {
  assert.ok(text !== undefined);
  if (typeof text === 'string') return text;
  return text.parts.map((part) => (typeof part === 'string' ? part : `<${part.text}>`)).join('');
}

function readEnv(value: string): string {
  const transport = onlyTransport(env(value));
  assert.ok(transport.type === 'stdio');
  return partsOf(transport.env.A);
}

test('a value may be a reference as a whole', () => {
  for (const value of [
    'env:NAME',
    'file:/run/secret',
    'file:~/secret',
    'cmd:["pass", "show", "x"]',
    'vault:kv/x',
    'creds:x',
    'keyring:a/b',
  ]) {
    assert.equal(readEnv(value), `<${value}>`);
    assert.deepEqual(notesOf(env(value)), [], value);
  }
  assert.equal(readEnv('file:${HOME}/x'), '<file:/home/ann/x>');
});

test('references may stand inside text, variables beside and in them', () => {
  assert.equal(
    readEnv('a ${vault:x} b ${TOKEN} ${file:./rel} ${file:${HOME}/t}'),
    'a <vault:x> b from-env <file:./rel> <file:/home/ann/t>',
  );
  assert.equal(readEnv('${cmd:["pass","}\\"}","{x}"]}!'), '<cmd:["pass","}\\"}","{x}"]>!');
  assert.equal(readEnv('$${vault:x} costs $$5'), '${vault:x} costs $5');
  const transport = onlyTransport(header('Bearer ${creds:issues}'));
  assert.ok(transport.type === 'http');
  assert.equal(partsOf(transport.headers.Authorization), 'Bearer <creds:issues>');
});

test('what only looks like a reference stays text', () => {
  for (const value of ['file:///dev.db', 'env: x', 'env:a-b', 'cmd:x', 'vault: x', 'vault:', '${NONE:-vault:x}']) {
    const meant = value.startsWith('${') ? 'vault:x' : value;
    assert.equal(readEnv(value), meant);
    assert.deepEqual(notesOf(env(value)), [], value);
  }
  // A database of Prisma.
  assert.equal(readEnv('file:./dev.db'), 'file:./dev.db');
  assert.deepEqual(notesOf(env('file:./dev.db')), [
    'g.yml:3:55: backends[0].transport.env.A: is passed on as it is; a secret in a relative path is ${file:./dev.db}',
  ]);
});

test('a reference that is broken is an error, not the text of its address', () => {
  for (const [value, message] of [
    ['cmd:["pass"', /expected a reference to a secret/],
    ['cmd:[]', /expected a reference to a secret/],
    ['creds:a/b', /expected a reference to a secret/],
    ['keyring:a', /expected a reference to a secret/],
    ['a ${vault:x', /expected \} after a reference to a secret/],
    ['a ${file:}', /expected a reference to a secret/],
    ['vault:x ${NOT_SET}', /variable NOT_SET is not set/],
  ] as const) {
    assert.match(problemsOf(env(value)).join(), message, value);
  }
});

test('in files of the Go original and of MCP clients a reference is text, and that is said', () => {
  for (const value of ['env:NAME', 'file:/run/secret', 'cmd:["pass"]', 'vault:kv/x', 'creds:x', 'keyring:a/b']) {
    const original = `${env(value)}share_token: abc\n`;
    assert.match(notesOf(original).join('\n'), /: is passed on as it is, not looked up/, value);
    const transport = onlyTransport(original);
    assert.equal(transport.type === 'stdio' && transport.env.A, value);
    const client = JSON.stringify({ mcpServers: { a: { command: 'srv', env: { A: value }, args: [value] } } });
    assert.match(notesOf(client, 'mcp.json').join('\n'), /: is passed on as it is, not looked up/, value);
    const other = onlyTransport(client, 'mcp.json');
    assert.equal(other.type === 'stdio' && other.env.A, value);
  }
});

test('T14 a secret cannot be an argument, which everybody can read', () => {
  const args = (value: string): string => withBackend('', `type: stdio, command: srv, args: ['${value}']`);
  assert.deepEqual(problemsOf(args('file:/run/secret')), [
    'g.yml:3:52: backends[0].transport.args[0]: expected text: a secret (file:) cannot be an argument, which everybody on this machine can read; give it to the server as a variable: env',
  ]);
  assert.match(
    problemsOf(args('--token=${vault:x}')).join(),
    /a reference to a secret can stand in env, headers and inject only/,
  );
  for (const place of ['name: "${vault:x}"', 'tools: { list: ["${file:/x}"] }']) {
    assert.match(problemsOf(withBackend(`    ${place}\n`)).join(), /can stand in env, headers and inject only/, place);
  }
});

test('T14 a variable whose value looks like a secret is warned of in an argument', () => {
  const args = withBackend('', 'type: stdio, command: srv, args: ["--key=${KEY}"]');
  const key = ['ghp', 'abcdefghijklmnop0123'].join('_');
  const { notes } = parse(args, 'g.yml', { HOME: '/h', KEY: key });
  assert.deepEqual(
    notes.map(({ kind }) => kind),
    ['unsafe'],
  );
  assert.ok(!notes[0]?.text.includes(key));
  assert.deepEqual(parse(args, 'g.yml', { HOME: '/h', KEY: 'plain' }).notes, []);
});

test('secrets that are written out are refused where the file says so, each with its place', () => {
  const secret = ['ghp', 'abcdefghijklmnop0123'].join('_');
  const text = `secrets: { inline: refuse }\nbackends:
  - id: a
    transport: { type: stdio, command: srv, args: ["${secret}"], env: { A: ${secret}, B: "\${TOKEN}", C: "vault:c" } }
  - id: b
    transport: { type: https, endpoint: "https://u:${secret}@h.example/", headers: { X: "Bearer ${secret}" } }\n`;
  const problems = problemsOf(text);
  assert.deepEqual(
    problems.map((problem) => problem.split(': ')[1]),
    [
      'backends[0].transport.args[0]',
      'backends[0].transport.env.A',
      'backends[1].transport.endpoint',
      'backends[1].transport.headers.X',
    ],
  );
  for (const problem of problems)
    assert.match(problem, /^g\.yml:[46]:\d+: .* stands in the file, better to write a reference/);
  assert.ok(!problems.join().includes(secret));
  const warned = text.replace('refuse', 'warn');
  assert.equal(parse(warned).notes.filter(({ kind }) => kind === 'inline-secret').length, 4);
  assert.equal(parse(warned.replace('secrets: { inline: warn }\n', '')).notes.length, 4);
  assert.ok(looksSecret(secret) !== undefined);
});

test('the vault of a file has a path beside the file and a key that is no secret of its own', () => {
  const text = (vault: string): string => withBackend(`secrets: { vault: ${vault} }\n`);
  const { vault } = configOf(text('{ path: ./mcp.vault, key: "file:keys/vault" }'));
  assert.deepEqual(vault, {
    path: '/etc/mcp/mcp.vault',
    key: { kind: 'file', path: 'keys/vault', text: 'file:keys/vault' },
  });
  assert.deepEqual(configOf(text('{ key: passphrase }')).vault, { key: 'passphrase' });
  for (const key of ['vault:x', 'hunter2hunter2']) {
    const message = problemsOf(text(`{ key: "${key}" }`)).join();
    assert.match(message, /expected a reference to a secret: .*, or passphrase/);
    assert.ok(!message.includes('hunter2'));
  }
});

test('T25 names such as __proto__ and constructor are names like others', () => {
  const transport = onlyTransport(
    withBackend('', 'type: stdio, command: srv, env: { __proto__: a, constructor: b, toString: "vault:c" }'),
  );
  assert.ok(transport.type === 'stdio');
  assert.deepEqual(Object.keys(transport.env), ['__proto__', 'constructor', 'toString']);
  assert.equal(Object.getOwnPropertyDescriptor(transport.env, '__proto__')?.value, 'a');
  assert.equal(({} as Record<string, unknown>).a, undefined);
});
