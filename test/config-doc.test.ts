// docs/CONFIG.md says what the schema does.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { configReference, documentedKeys, parseGatewayConfig, REGENERATE } from '../packages/config/src/index.ts';

test('docs/CONFIG.md is what the schema generates', () => {
  const written = readFileSync(join(import.meta.dirname, '../docs/CONFIG.md'), 'utf8');
  assert.ok(written === configReference(), `docs/CONFIG.md is stale; write it anew with: ${REGENERATE}`);
});

test('every key has a meaning, and an example or default where one is possible', () => {
  for (const { key, field } of documentedKeys()) {
    assert.ok(field.about.length > 5, key);
    assert.ok(!field.about.endsWith('.'), key);
    const leaf = !field.shape.fields && !field.shape.element?.fields;
    const told = field.required || field.default !== undefined || field.example !== undefined;
    assert.ok(!leaf || told || key.startsWith('orchestrator.'), `${key} has neither default nor example`);
  }
});

test('every example of the reference is read by the schema', () => {
  const around = { file: 'g.yml', env: { HOME: '/h', GITHUB_TOKEN: 'x', API_TOKEN: 'y' }, cwd: '/' };
  let tried = 0;
  for (const { key, field } of documentedKeys()) {
    if (field.example === undefined) continue;
    const type = field.only?.at(-1) ?? 'stdio';
    const needs = { stdio: 'command: x', zrok: 'share_token: ab1', https: 'endpoint: "https://x"' }[type] ?? '';
    const lines = new Map([
      ['', 'backends:'],
      ['backends[].id', '  - id: db'],
      ['backends[].transport', '    transport:'],
      ['backends[].transport.type', `      type: ${type}`],
      [`backends[].transport.${needs.split(':')[0]}`, `      ${needs}`],
    ]);
    const parts = key.split('.');
    const leaf = `${parts.at(-1)}: ${field.example}`;
    if (key.startsWith('backends[].tools.')) lines.set(key, `    tools: { ${leaf} }`);
    else if (key.endsWith('tls.ca_cert_file')) continue;
    else if (key === 'backends[].id') lines.set(key, `  - ${leaf}`);
    else if (key.startsWith('backends[].limits.')) lines.set(key, `    limits: { ${leaf} }`);
    else if (key === 'limits.tools[].tools') lines.set(key, `limits: { tools: [ { ${leaf}, daily: 1 } ] }`);
    else if (key.startsWith('limits.tools[].'))
      lines.set(key, `limits: { tools: [ { tools: [x], daily: 1, ${leaf} } ] }`);
    else if (key.startsWith('backends[].inject.')) lines.set(key, `    inject: { ${leaf} }`);
    else if (key.startsWith('backends[].sandbox.')) lines.set(key, `    sandbox: { ${leaf} }`);
    else if (key.startsWith('backends[].retry.')) lines.set(key, `    retry: { ${leaf} }`);
    else if (key.startsWith('secrets.vault.')) lines.set(key, `secrets: { vault: { ${leaf} } }`);
    else if (key.startsWith('backends[].transport.')) lines.set(key, `      ${leaf}`);
    else if (key.startsWith('backends[].')) lines.set(key, `    ${leaf}`);
    else if (parts.length === 2) lines.set(key, `${parts[0]}: { ${leaf} }`);
    else lines.set(key, leaf);
    assert.doesNotThrow(() => parseGatewayConfig([...lines.values()].join('\n'), around), key);
    tried += 1;
  }
  assert.ok(tried >= 12, `${tried}`);
});
