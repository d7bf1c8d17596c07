import assert from 'node:assert/strict';
import { test } from 'node:test';
import { safeEnvironment } from '../../../src/transports/child/environment.ts';

const OURS = {
  HOME: '/home/u',
  LOGNAME: 'u',
  PATH: '/usr/bin',
  SHELL: '/bin/sh',
  TERM: 'xterm',
  USER: 'u',
  AWS_SECRET_ACCESS_KEY: 'canary-1',
  LD_PRELOAD: '/canary-2.so',
  NODE_OPTIONS: '--require canary-3',
  LANG: 'de_DE.UTF-8',
  HTTP_PROXY: 'http://user:canary-4@proxy',
  MCP_OVERLAY_OWNER: 'canary-5',
};

test('a child gets six safe names and nothing else of ours', () => {
  const env = safeEnvironment(OURS, {}, [], 'linux');
  assert.deepEqual(Object.keys(env).sort(), ['HOME', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'USER']);
  assert.doesNotMatch(JSON.stringify(env), /canary/);
});

test('declared values and names to pass on are added, and declared ones win', () => {
  const env = safeEnvironment(OURS, { TOKEN: 't', PATH: '/opt/bin' }, ['LANG', 'NOT_SET'], 'linux');
  assert.equal(env.TOKEN, 't');
  assert.equal(env.PATH, '/opt/bin');
  assert.equal(env.LANG, 'de_DE.UTF-8');
  assert.equal('NOT_SET' in env, false);
});

test('exported shell functions are dropped, passed on by name or not', () => {
  const env = safeEnvironment({ TERM: '() { :; }; echo x', FUNCTION: '() { :; }' }, {}, ['FUNCTION'], 'linux');
  assert.deepEqual(env, {});
});

test('on Windows the names are there that programs need to start', () => {
  const env = safeEnvironment({ SYSTEMROOT: 'C:\\Windows', PATHEXT: '.EXE;.CMD', SECRET: 'canary' }, {}, [], 'win32');
  assert.deepEqual(env, { SYSTEMROOT: 'C:\\Windows', PATHEXT: '.EXE;.CMD' });
});
