// The layers of the house, as literal expectations. Red asks: did you mean it? If so, change it here with a page in
// docs/decisions/ that says why.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Which workspace packages a package may import. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  ziti: [],
  overlay: ['ziti'],
  relay: [],
  config: [],
  cli: [],
  gateway: ['overlay', 'relay', 'config', 'cli'],
  bridge: ['overlay', 'relay', 'config', 'cli'],
  tools: ['overlay', 'relay', 'config', 'cli'],
};

/** Parts that only some commands load, and the network that test doubles of the overlay stand on. */
const SUBPATHS: ReadonlySet<string> = new Set(['@mcp-overlay/relay/http', '@mcp-overlay/ziti/testing']);

/** Which files may import a foreign package: one door for each. */
const DOORS: Readonly<Record<string, RegExp>> = {
  yargs: /^packages\/cli\/src\/main\.ts$/,
  pino: /^packages\/cli\/src\/log\.ts$/,
  yaml: /^packages\/config\/src\//,
  'libsodium-wrappers': /^packages\/ziti\/src\/crypto\/sodium\.ts$/,
  ws: /^packages\/ziti\/src\/(channel\/ws-underlay|testing\/[^/]+)\.ts$/,
  re2js: /^packages\/gateway\/(src\/(policy\/re2|scrub\/regex)|test\/scrub\/regex\.test)\.ts$/,
  ajv: /^packages\/gateway\/src\/policy\/args\/schema\.ts$/,
  '@marcbachmann/cel-js': /^packages\/gateway\/src\/policy\/when\.ts$/,
  'libpg-query': /^packages\/gateway\/src\/policy\/sql\/parser\.ts$/,
  jose: /^packages\/overlay\/src\/access\/(jwt|jwks)\.ts$/,
  'eventsource-parser': /^packages\/relay\/src\/transports\/http\//,
};

/** Inside the gateway: what a room may import at run time (types pass, they cost nothing and bind nothing). */
const GATEWAY_ROOMS: Readonly<Record<string, readonly string[]>> = {
  call: [],
  policy: ['call'],
  audit: ['call'],
  scrub: ['call'],
  alarms: ['call'],
  pins: ['call'],
  overload: [],
  troubles: [],
  succession: ['admin'],
  backend: ['call'],
  routing: ['call', 'backend', 'audit'],
  session: ['call', 'backend', 'routing', 'pipeline', 'audit', 'scrub', 'pins'],
};

interface Import {
  readonly file: string;
  readonly from: string;
  readonly typeOnly: boolean;
}

function sources(): string[] {
  return Object.keys(PACKAGES).flatMap((name) => {
    const folder = join(root, 'packages', name, 'src');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    return files.filter((file) => file.endsWith('.ts')).map((file) => relative(root, join(folder, file)));
  });
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8');
  const found: Import[] = [];
  const pattern = /^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'|\bimport\('([^']+)'\)/gms;
  for (const [, type, from, dynamic] of text.matchAll(pattern)) {
    found.push({ file: file.split(sep).join('/'), from: from ?? dynamic ?? '', typeOnly: type !== undefined });
  }
  return found;
}

const imports = sources().flatMap(importsOf);
const packageOf = (file: string): string => file.split('/')[1] ?? '';

test('there is something to check', () => {
  assert.ok(imports.length > 100, `${imports.length} imports found`);
});

test('packages import only what their layer allows, by name and never by path', () => {
  const wrong = imports.filter(({ file, from }) => {
    if (from.startsWith('.'))
      return !resolve(dirname(file), from).startsWith(resolve('packages', packageOf(file), 'src'));
    const sibling = /^@mcp-overlay\/([^/]+)(\/.*)?$/.exec(from);
    if (!sibling) return false;
    return !SUBPATHS.has(from) && (sibling[2] !== undefined || !PACKAGES[packageOf(file)]?.includes(sibling[1] ?? ''));
  });
  assert.deepEqual(wrong, []);
});

test('each foreign package has one door', () => {
  const foreign = imports.filter(({ from }) => !/^(\.|node:|@mcp-overlay\/)/.test(from));
  const wrong = foreign.filter(({ file, from }) => {
    const name = Object.keys(DOORS).find((door) => from === door || from.startsWith(`${door}/`));
    return name === undefined || !DOORS[name]?.test(file);
  });
  assert.deepEqual(wrong, []);
});

test('the rooms of the gateway stay strangers where they should', () => {
  const prefix = 'packages/gateway/src/';
  const wrong = imports.filter(({ file, from, typeOnly }) => {
    if (typeOnly || !file.startsWith(prefix) || !from.startsWith('.')) return false;
    const here = file.slice(prefix.length);
    const room = here.includes('/') ? (here.split('/')[0] ?? '') : undefined;
    const allowed = room === undefined ? undefined : GATEWAY_ROOMS[room];
    if (!allowed) return false;
    const target = relative(join(root, prefix), resolve(root, dirname(file), from)).split(sep);
    const other = target.length > 1 ? (target[0] ?? '') : (target[0] ?? '').replace(/\.ts$/, '');
    return other !== room && !allowed.includes(other);
  });
  assert.deepEqual(wrong, []);
});

test('test doubles stay in testing folders, and products do not import them', () => {
  const wrong = imports.filter(({ file, from }) => !file.includes('/testing/') && /\/testing(\/|$)/.test(from));
  assert.deepEqual(wrong, []);
});

test('source files stay small enough to be one thing', () => {
  const tooLong = sources()
    .map((file) => ({ file, lines: readFileSync(join(root, file), 'utf8').split('\n').length }))
    .filter(({ lines }) => lines > 500);
  assert.deepEqual(tooLong, []);
});
