import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigError, parseGatewayConfig } from '@mcp-overlay/config';
import { openScrub } from '../../src/scrub/open.ts';

const pattern = (word: string, extra = ''): string =>
  `patterns:\n  - { id: own, description: d, severity: low, re2: '${word}', literals: [${word}], tests: { hit: [${word}], miss: [x] }${extra} }\n`;

async function house(yaml: string) {
  const folder = await mkdtemp(join(tmpdir(), 'scrub-'));
  const file = join(folder, 'own.yml');
  await writeFile(file, pattern('banana'));
  const text = `backends: [ { id: a, transport: { type: stdio, command: x } } ]\n${yaml}`;
  const { config } = parseGatewayConfig(text, { file: join(folder, 'gateway.yml'), env: { HOME: '/h' }, cwd: folder });
  const waiting: (() => void)[] = [];
  const said: string[] = [];
  const note = (_fields: object, event: string): void => {
    said.push(event);
    for (const wake of waiting.splice(0)) wake();
  };
  return {
    folder,
    file,
    config,
    said,
    log: { debug: note, info: note, warn: note },
    async saying(event: string): Promise<void> {
      while (!said.includes(event)) await new Promise<void>((resolve) => waiting.push(resolve));
      said.length = 0;
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

test('patterns of the operator are read again when they change; a broken file leaves the old ones, and says so', async () => {
  await using at = await house('scrub: { patterns: [own.yml] }');
  const scrub = await openScrub({ config: at.config, log: at.log });
  assert.ok(scrub);
  const finds = (text: string): boolean =>
    scrub.scrubber
      .lookPatiently([text], 'text')
      .texts.some(({ findings }) => findings.some(({ rule }) => rule === 'own'));
  assert.ok(finds('a banana'));
  await writeFile(at.file, pattern('cherry'));
  await at.saying('patterns read again');
  assert.ok(finds('a cherry') && !finds('a banana'));
  await writeFile(at.file, 'patterns: [ { id: own');
  await at.saying('changed patterns cannot be used, the old ones stay');
  assert.ok(finds('a cherry'));
  assert.match(scrub.status()?.trouble ?? '', /own\.yml/);
  // As editors do it: another file in its place.
  await writeFile(join(at.folder, 'new'), pattern('apple'));
  await rename(join(at.folder, 'new'), at.file);
  await at.saying('patterns read again');
  assert.ok(finds('an apple'));
  assert.equal(scrub.status()?.trouble, undefined);
  await scrub.close();
});

test('a pattern file that cannot be used at the start stops the start, with its place', async () => {
  await using at = await house('scrub: { patterns: [own.yml] }');
  await writeFile(at.file, pattern('ban(?=ana)'));
  await assert.rejects(openScrub({ config: at.config, log: at.log }), (error: unknown) => {
    assert.ok(error instanceof ConfigError);
    assert.match(error.message, /own\.yml:2:\d+: .*not in RE2/);
    return true;
  });
});

test('status says what scrubbing is for, how many patterns are in force, and what was found', async () => {
  await using at = await house('');
  const scrub = await openScrub({ config: at.config, log: at.log });
  assert.ok(scrub);
  const { purpose, configured, patterns, hits } = scrub.status() ?? assert.fail('it is on');
  assert.deepEqual([purpose, configured, hits], ['visibility, not a boundary', false, {}]);
  assert.ok(patterns > 200);
  await scrub.close();
});

test('scrub: off is off', async () => {
  await using at = await house('scrub: off');
  assert.equal(await openScrub({ config: at.config, log: at.log }), undefined);
});
