// What a program loads before it knows its overlay: `local` must not pay for OpenZiti and its encryption.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const dist = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist');
const STATIC = /(?:^|[;}\s])(?:import|export)(?:[^'"();]*?from)?\s*["'](\.[^"']+)["']/g;
const DYNAMIC = /\bimport\(["'](\.[^"']+)["']\)/g;
/** Words of what must come late: libsodium, ws, the OpenZiti client, zrok's REST. Minifying keeps texts. */
const LATE = ['secretstream_xchacha20poly1305', 'Sec-WebSocket-Key', 'encryption_mismatch', 'application/zrok.v1+json'];

for (const name of ['mcp-tools', 'mcp-bridge', 'mcp-gateway']) {
  test(`${name} starts without a network's code, and finds it when it is asked for`, () => {
    const entry = join(dist, `${name}.js`);
    const atStart = reached([entry], STATIC);
    const ever = reached([entry], STATIC, DYNAMIC);
    for (const word of LATE) {
      assert.deepEqual(holding(atStart, word), [], `${word} is loaded at the start`);
      assert.notEqual(holding(ever, word).length, 0, `${word} is nowhere`);
    }
    for (const file of ever) assert.ok(existsSync(file), file);
  });
}

/** Of PostgreSQL's parser, Ajv and CEL: what only some rules need. */
const ENGINES = ['wasm_parse_query_raw', 'unevaluatedProperties', 'getDayOfYear'];

test('mcp-gateway starts without the engines of rules, and finds them when a rule needs one', () => {
  const entry = join(dist, 'mcp-gateway.js');
  const atStart = reached([entry], STATIC);
  const ever = reached([entry], STATIC, DYNAMIC);
  for (const word of ENGINES) {
    assert.deepEqual(holding(atStart, word), [], `${word} is loaded at the start`);
    assert.notEqual(holding(ever, word).length, 0, `${word} is nowhere`);
  }
  assert.ok(existsSync(join(dist, 'chunks', 'libpg-query.wasm')));
});

test('the OpenZiti client is there once for all programs, and its encryption apart: a login does without', () => {
  const files = readdirSync(join(dist, 'chunks')).map((file) => join(dist, 'chunks', file));
  const [client, wasm] = ['zt-session', '_crypto_secretstream_xchacha20poly1305_init_push'].map((word) =>
    holding(files, word),
  );
  assert.deepEqual([client?.length, wasm?.length], [1, 1]);
  assert.deepEqual(holding(reached(client ?? [], STATIC), '_crypto_secretstream'), []);
});

function reached(from: readonly string[], ...patterns: RegExp[]): string[] {
  const seen = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    const text = readFileSync(file, 'utf8');
    for (const pattern of patterns) {
      for (const [, path = ''] of text.matchAll(pattern)) visit(join(dirname(file), path));
    }
  };
  for (const file of from) visit(file);
  return [...seen];
}

function holding(files: readonly string[], word: string): string[] {
  return files.filter((file) => readFileSync(file, 'utf8').includes(word));
}
