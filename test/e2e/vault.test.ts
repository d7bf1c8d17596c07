// The vault where a person types: on a real terminal, made by script(1), nothing of what is typed is shown.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Command, House, runToEnd } from './harness.ts';
import { LineClient } from './line-client.ts';
import { digestOf } from './secrets-town.ts';
import { commandBackend, fixture } from './servers.ts';

const withTerminal = spawnSync('script', ['--version']).status === 0 ? {} : { skip: 'needs script(1) of util-linux' };
const PHRASE = 'correct horse battery';
const SECRET = 'typed-c4n4ry-ü-secret';

/** Types each answer when its question stands there; resolves with all that the terminal showed. */
async function typed(
  program: Command,
  answers: readonly (readonly [RegExp, string])[],
): Promise<{ shown: string; code: number | null }> {
  const line = [program.command, ...program.args].map((word) => `'${word}'`).join(' ');
  const terminal = spawn('script', ['-qec', line, '/dev/null'], {
    env: { ...program.env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let shown = '';
  let from = 0;
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  const closed = once(terminal, 'close') as Promise<[number | null]>;
  for (const [question, answer] of answers) {
    while (!question.test(shown.slice(from))) {
      const more = await Promise.race([once(terminal.stdout, 'data').then(() => true), closed.then(() => false)]);
      if (!more) assert.fail(`${question} was not asked: ${shown}`);
    }
    from = shown.length;
    terminal.stdin.write(answer);
  }
  const [code] = await closed;
  return { shown, code };
}

test(
  'a passphrase and a secret are typed and not shown; the gateway asks once and uses them',
  withTerminal,
  async () => {
    await using house = await House.open();
    const file = join(house.home, 'my.vault');
    const vault = (...words: string[]): Command =>
      house.program('gateway', 'vault', ...words, '--vault', file, '--key', 'passphrase');
    const made = await typed(vault('set', 'github'), [
      [/value of github \(not shown\): $/, `wrong\x15${SECRET}xü\x7f\x7f\r`],
      [/passphrase for the new vault \(not shown\): $/, `${PHRASE}\r`],
      [/once more: $/, `${PHRASE}\r`],
    ]);
    assert.equal(made.code, 0, made.shown);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    const listed = await typed(vault('list'), [[/passphrase of the vault \(not shown\): $/, `${PHRASE}\r`]]);
    assert.match(listed.shown, /^github {2}\d{4}-/m);
    const wrong = await typed(vault('list'), [[/passphrase of the vault/, 'another passphrase\r']]);
    assert.equal(wrong.code, 2);
    assert.match(wrong.shown, /cannot be opened with this key \(vault_key_wrong\)/);

    const config = await house.config(
      [commandBackend('a', fixture('secret-server.mjs'), { inject: { env: { SECRET_T: 'vault:github' } } })],
      {
        secrets: { vault: { path: file, key: 'passphrase' } },
      },
    );
    const gateway = house.gatewayProgram(config);
    const serving = typed(gateway, [
      [/passphrase of the vault \(not shown\): $/, `${PHRASE}\r`],
      [/"share_token":"/, ''],
      [/never shown/, ''],
    ]).catch((error: Error) => error.message);
    const status = await house.untilStatusOfAny((one) => one.backends[0]?.state === 'up');
    await using agent = LineClient.spawn(house.agentProgram(status.share));
    await agent.initialize();
    const { digests } = (await agent.told('who')) as { digests: Record<string, string> };
    assert.equal(digests.SECRET_T, digestOf(SECRET));
    await agent.end();
    process.kill(status.pid, 'SIGTERM');
    const shown = String(await serving);
    for (const text of [made.shown, listed.shown, wrong.shown, shown, await readFile(file, 'utf8')]) {
      for (const hidden of [SECRET, PHRASE, 'another passphrase']) assert.ok(!text.includes(hidden), text);
    }
  },
);

test('what is taken back, too short or typed differently makes no vault', withTerminal, async () => {
  await using house = await House.open();
  const file = join(house.home, 'my.vault');
  const vault = house.program('gateway', 'vault', 'set', 'a', '--vault', file, '--key', 'passphrase');
  const value = [/value of a/, 'some-value\r'] as const;
  const cases = [
    [[[/value of a/, '\x03']], /nothing was entered/],
    [[[/value of a/, '\x04']], /nothing was entered/],
    [[[/value of a/, '\r']], /the value of a is empty/],
    [[value, [/passphrase for the new/, 'short\r']], /a passphrase has at least 12 characters/],
    [[value, [/passphrase for the new/, `${PHRASE}\r`], [/once more/, 'something else\r']], /the two are not the same/],
  ] as const;
  for (const [answers, message] of cases) {
    const { shown, code } = await typed(vault, answers);
    assert.equal(code, 2, shown);
    assert.match(shown, message);
    await assert.rejects(stat(file), { code: 'ENOENT' });
  }
});

test('without a terminal a passphrase cannot be asked, and that is said', async () => {
  await using house = await House.open();
  const { command, args, env } = house.program(
    'gateway',
    'vault',
    'list',
    '--vault',
    join(house.home, 'v'),
    '--key',
    'passphrase',
  );
  // An own session has no terminal that /dev/tty could mean.
  const made = await runToEnd(
    { command: 'setsid', args: ['-w', command, ...args.slice(0, 2), 'set', 'a', ...args.slice(3)], env },
    'some-value\n',
  );
  assert.equal(made.code, 2);
  assert.match(made.stderr, /the vault wants a passphrase, and there is no terminal to ask on \(usage\)/);
});

test('the key of the audit log is in the vault, for who writes it and for who reads it', async () => {
  await using house = await House.open();
  const set = house.program('gateway', 'vault', 'set', 'audit');
  assert.equal((await runToEnd(set, `${'k'.repeat(40)}\n`)).code, 0);
  const audit = { path: join(house.home, 'audit'), key: 'vault:audit' };
  const config = await house.config([commandBackend('a', fixture('named-server.mjs', 'look'))], { audit });
  const gateway = await house.start(house.gatewayProgram(config));
  await using agent = LineClient.spawn(house.agentProgram(String(gateway.ready.share_token)));
  await agent.initialize();
  assert.equal((await agent.call('look')).error, undefined);
  await agent.end();
  await gateway.end();
  const verified = await runToEnd(house.program('gateway', 'audit', 'verify', config));
  assert.equal(verified.code, 0, verified.stderr);
  const asked = await runToEnd(house.program('gateway', 'audit', 'query', config, '--tool', 'look', '--json'));
  assert.match(asked.stdout, /"target":"look"/);
});
