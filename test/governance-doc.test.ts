// docs/GOVERNANCE.md: its examples are loaded with their rules compiled, and the cases at its end come out as they say.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseGatewayConfig, parsePolicyCases } from '../packages/config/src/index.ts';
import { askedOf } from '../packages/gateway/src/policy/asked.ts';
import { askerOf } from '../packages/gateway/src/policy/asker.ts';
import { loadPolicy } from '../packages/gateway/src/policy/load-policy.ts';

const doc = readFileSync(join(import.meta.dirname, '../docs/GOVERNANCE.md'), 'utf8');
const blocks = [...doc.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text);
const backends = ['fs', 'db', 'github'].map((id) => `  - { id: ${id}, transport: { type: stdio, command: x } }`);

function configOf(block: string) {
  const text = `backends:\n${backends.join('\n')}\n${block}`;
  return parseGatewayConfig(text, { file: 'GOVERNANCE.md', env: {}, cwd: '/' }).config;
}

test('every example of docs/GOVERNANCE.md loads', async () => {
  const files = blocks.filter((block) => block.startsWith('roles:'));
  assert.ok(files.length >= 6, `${files.length}`);
  for (const block of files) await loadPolicy(configOf(block));
  const cases = blocks.filter((block) => /^cases:/m.test(block));
  assert.equal(files.length + cases.length, blocks.length);
});

test('the cases at its end come out as they say', async () => {
  const [config = '', cases = ''] = blocks.slice(-2);
  const parsed = configOf(config);
  const policy = await loadPolicy(parsed);
  const { cases: all } = parsePolicyCases(cases, { file: 'cases.yml', env: {} });
  assert.ok(all.length >= 8);
  for (const one of all) {
    const who = askerOf(one, parsed.policy);
    const asked = askedOf(one.name, parsed, (id) => `${id}__`);
    assert.ok(who && asked, `${one.line}`);
    const { allow, rule } = policy.decide(who, { ...asked, kind: one.kind, args: one.args });
    assert.equal(allow ? 'allow' : 'deny', one.expect, `line ${one.line}`);
    if (one.rule !== undefined) assert.equal(rule, one.rule);
  }
});
