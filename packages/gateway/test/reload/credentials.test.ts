import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseGatewayConfig, resolveSecret } from '@mcp-overlay/config';
import { credentialsOf, SeenSecrets } from '../../src/reload/credentials.ts';

async function house(lines: string) {
  const folder = await mkdtemp(join(tmpdir(), 'seen-'));
  const { config } = parseGatewayConfig(`backends:\n${lines}`, { file: 'g.yml', env: {}, cwd: folder });
  const seen = new SeenSecrets();
  const options = seen.noting({ env: {}, baseDir: folder });
  return {
    backends: config.backends,
    put: (name: string, text: string) => writeFile(join(folder, name), text, { mode: 0o600 }),
    used: (name: string) => resolveSecret({ kind: 'file', path: name, text: `file:${name}` }, options),
    read: (goesOn = false) => seen.read(config.backends, options, () => goesOn),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

const child = (id: string, value: string): string =>
  `  - { id: ${id}, transport: { type: stdio, command: x, env: { KEY: "${value}" } } }\n`;

test('a secret is another one when a server was given an older one, however often it was read since', async () => {
  await using at = await house(child('a', `\${file:one}`) + child('b', `\${file:two}`) + child('c', 'plain'));
  await at.put('one', 'first');
  await at.put('two', 'second');
  const rotated = async (): Promise<readonly string[]> => {
    const read = await at.read();
    return at.backends.filter((backend) => read.rotated(backend)).map(({ id }) => id);
  };
  await at.put('one', 'changed before anybody used it');
  assert.deepEqual(await rotated(), []);
  await at.used('one');
  await at.put('one', 'third');
  // A session that began meanwhile has the new one; those before it do not.
  await at.used('one');
  assert.deepEqual(await rotated(), ['a']);
  assert.deepEqual(await rotated(), ['a'], 'as long as nobody ended them');
  (await at.read()).commit();
  assert.deepEqual(await rotated(), []);
});

test('a secret that cannot be read is needed for what is new, and not for what goes on', async () => {
  await using at = await house(child('a', `\${file:absent}`));
  await assert.rejects(at.read(), { code: 'secret_missing' });
  const read = await at.read(true);
  assert.deepEqual(at.backends.map(read.rotated), [false]);
});

test('secrets of each caller are not read, for nobody calls', async () => {
  const inject = `inject: { per_identity: required, env: { KEY: "\${vault:k-{identity}}" } }`;
  await using at = await house(`  - { id: a, transport: { type: stdio, command: x }, ${inject} }\n`);
  const read = await at.read();
  assert.deepEqual(at.backends.map(read.rotated), [false]);
});

test('what says who we are for a server is told from the rest of its configuration', async () => {
  const of = async (line: string): Promise<string> => {
    await using at = await house(line);
    const [backend] = at.backends;
    return backend ? credentialsOf(backend) : '';
  };
  assert.equal(await of(child('a', 'v')), await of(child('b', 'v')));
  assert.notEqual(await of(child('a', 'v')), await of(child('a', 'w')));
  const share = (more: string): string => `  - { id: a, transport: { type: share, share_token: s${more} } }\n`;
  assert.notEqual(await of(share('')), await of(share(', access: "file:t"')));
  const http = (key: string): string =>
    `  - { id: a, transport: { type: https, endpoint: "https://h/mcp", headers: { Authorization: "${key}" } } }\n`;
  assert.notEqual(await of(http('Bearer a')), await of(http('Bearer b')));
});
