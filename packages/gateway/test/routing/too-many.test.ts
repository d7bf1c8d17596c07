import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseGatewayConfig } from '@mcp-overlay/config';
import { createLocalOverlay } from '@mcp-overlay/overlay';
import { withoutRules } from '../../src/policy/no-rules.ts';
import { sessionSettings } from '../../src/session-settings.ts';

test('more stdio backends than a session may start servers are refused at start, with the way out', () => {
  const text = (count: number): string =>
    `backends:\n${Array.from({ length: count }, (_, n) => `  - { id: b${n}, transport: { type: stdio, command: x } }\n`).join('')}`;
  const settings = (count: number): unknown => {
    const { config } = parseGatewayConfig(text(count), { file: '/g.yml', env: {}, cwd: '/' });
    const log = { debug() {}, info() {}, warn() {} };
    return sessionSettings({
      policy: withoutRules(),
      config,
      overlay: createLocalOverlay({ env: {} }),
      env: {},
      version: '0',
      log,
    });
  };
  assert.ok(settings(64));
  assert.throws(() => settings(65), { code: 'usage', message: /65 stdio backends are too many: .*at most 64/ });
});
