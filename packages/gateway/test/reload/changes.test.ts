import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, parseGatewayConfig } from '@mcp-overlay/config';
import { changesBetween, prefixesOf, renamings } from '../../src/reload/changes.ts';
import { refuseFixed } from '../../src/reload/fixed.ts';

const backend = (id: string, more = ''): string =>
  `  - { id: ${id}, transport: { type: stdio, command: ${id} }${more === '' ? '' : `, ${more}`} }\n`;
const config = (lines: string) => parseGatewayConfig(lines, { file: 'g.yml', env: {}, cwd: '/' }).config;
const said = (before: string, after: string): readonly string[] =>
  changesBetween(config(before), config(after)).map(({ what, name, change }) => [what, name, change].join('|'));

test('changes are told in the words of the file, and its layout is none', () => {
  const base = `backends:\n${backend('files')}`;
  assert.deepEqual(said(base, `# a remark\n\n${base}`), []);
  assert.deepEqual(said(base, `${base}${backend('notes')}`), ['backend|notes|added']);
  assert.deepEqual(said(`${base}${backend('notes')}`, base), ['backend|notes|removed']);
  assert.deepEqual(said(`${base}${backend('notes')}`, `${base}${backend('notes', 'disabled: true')}`), [
    'backend|notes|removed',
  ]);
  assert.deepEqual(said(base, `backends:\n${backend('files', 'prefix: x_, call_timeout: 3s')}`), [
    'backend|files|changed: prefix, call_timeout',
  ]);
  const rules = (reader: string): string =>
    `${base}roles: { reader: [ { allow: { tools: [${reader}] } } ] }\nidentities: { owner: [reader] }\n`;
  assert.deepEqual(said(rules('a'), `\n\n${rules('a')}`), [], 'a place in the file is no change');
  assert.deepEqual(said(base, rules('a')), ['role|reader|added', 'identity|owner|added']);
  assert.deepEqual(said(rules('a'), rules('b')), ['role|reader|changed: rules']);
  assert.deepEqual(said(base, `${base}scrub: block\nlimits: { calls_queued: 3 }\nreload: { watch: false }\n`), [
    'limits||changed',
    'scrub||changed',
    'reload||changed',
  ]);
});

test('names that change are told, with why', () => {
  const one = `backends:\n${backend('files')}`;
  const two = `${one}${backend('notes')}`;
  const told = (before: string, after: string) => renamings(prefixesOf(config(before)), prefixesOf(config(after)));
  assert.deepEqual(told(one, two), [
    'names of backend files change from NAME to files__NAME, because it is not the only backend any more',
  ]);
  assert.deepEqual(told(two, one), [
    'names of backend files change from files__NAME to NAME, because it is the only backend now',
  ]);
  assert.deepEqual(told(two, `${two}aggregator: { separator: _ }\n`).length, 2);
  assert.deepEqual(told(two, `${two}${backend('more')}`), []);
  assert.deepEqual(
    told(`backends:\n${backend('files', 'prefix: f_')}`, `backends:\n${backend('files', 'prefix: f_')}${backend('x')}`),
    [],
  );
});

test('what cannot change at run time is refused whole, each by its name', () => {
  const base = `share: { token: box }\nbackends:\n${backend('files')}`;
  const refused = (after: string, lockFile = '/lock'): readonly string[] => {
    try {
      refuseFixed({ config: config(base), lockFile: '/lock' }, { config: config(after), lockFile }, 'g.yml');
      return [];
    } catch (error) {
      assert.ok(error instanceof ConfigError);
      return error.all.map(({ key }) => key).sort();
    }
  };
  assert.deepEqual(refused(base), []);
  assert.deepEqual(refused(`${base}scrub: block\n`), []);
  assert.deepEqual(refused(base.replace('box', 'other')), ['share.token']);
  assert.deepEqual(refused(`${base}audit: off\nalarms: {}\nlog_file: ./x\ntrust: [ca.pem]\n`), [
    'alarms',
    'audit',
    'log_file',
    'trust',
  ]);
  const share = 'share: { token: box, overlay: zrok, grants: [a@example.com, network] }';
  assert.deepEqual(refused(base.replace('share: { token: box }', share)), ['share.grants (e-mails)', 'share.overlay']);
  assert.deepEqual(refused(`${base}limits: { sessions: 3, message_bytes: 1MiB, calls_queued: 2 }\n`), [
    'limits.message_bytes',
    'limits.sessions',
  ]);
  const kept = 'tokens: { key: "file:/k", max_ttl: 1h }\nsecrets: { vault: { path: /v } }\n';
  assert.deepEqual(refused(`${base}${kept}`), ['secrets.vault', 'tokens.key']);
  assert.deepEqual(refused(base, '/other'), ['pins.file']);
});
