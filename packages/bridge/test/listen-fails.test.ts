// A bridge that cannot be reached leaves no server behind that would keep its program alive.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { grantsOf, type Overlay } from '@mcp-overlay/overlay';
import { Sandbox } from '@mcp-overlay/relay';
import { startBridge } from '../src/bridge.ts';

test('where nobody can be listened to, the spare that was started ends before that is told', async () => {
  const home = mkdtempSync(join(tmpdir(), 'bridge-'));
  let pid = 0;
  let started: () => void = () => {};
  // It may have said so before anybody listens.
  const spare = new Promise<void>((resolve) => {
    started = resolve;
  });
  const said = (fields: object, event: string): void => {
    if (event !== 'stderr') return;
    pid = Number(/\d+$/.exec(String((fields as { line?: string }).line))?.[0]);
    started();
  };
  const log = { trace() {}, debug() {}, info: said, warn() {}, error() {} };
  const listenEphemeral = async (): Promise<never> => {
    await spare;
    throw new Error('no network');
  };
  const overlay = { kind: 'none', listenEphemeral };
  try {
    const bridge = startBridge({
      overlay: overlay as unknown as Overlay,
      token: undefined,
      command: process.execPath,
      args: ['-e', 'console.error(process.pid); process.stdin.resume()'],
      env: {},
      stateEnv: { MCP_OVERLAY_HOME: home },
      cwd: undefined,
      sandbox: { wish: 'none', of: new Sandbox() },
      warm: 1,
      idleMs: undefined,
      grants: grantsOf([]),
      shared: false,
      era: 'auto',
      by: 'test',
      log: log as never,
      onLost: () => {},
    });
    await assert.rejects(bridge, /no network/);
    assert.ok(pid > 0);
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});
