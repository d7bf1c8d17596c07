// Whatever stands in a file: a configuration, or a ConfigError. Never anything else, and never for long.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import { openReport } from '../src/errors.ts';
import { ConfigError, parseGatewayConfig } from '../src/index.ts';
import type { Node } from '../src/node.ts';
import { parseSource } from '../src/source.ts';

const corpora = join(import.meta.dirname, '../../../../shared/corpora');
const runs = process.env.TEST_LONG ? 200_000 : 2000;

function survives(text: string, file = 'f.yml'): void {
  try {
    parseGatewayConfig(text, { file, env: {}, cwd: '/' });
  } catch (error) {
    assert.ok(error instanceof ConfigError, `${JSON.stringify(text)}: ${error instanceof Error ? error.stack : error}`);
    assert.ok(error.all.length > 0);
    for (const problem of error.all) assert.ok(problem.text.startsWith(file) && problem.expected !== '');
  }
}

test('any string is a configuration or a ConfigError', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.constantFrom('f.yml', 'f.json', 'f'), survives),
    { numRuns: runs },
  );
});

test('so is anything made of the marks of YAML and JSON', () => {
  const mark = fc.constantFrom(
    '- ',
    '? ',
    ': ',
    '\n',
    '  ',
    '\t',
    '{',
    '}',
    '[',
    ']',
    ',',
    '&a ',
    '*a',
    '!t ',
    '|\n',
    '>\n',
    '"',
    "'",
    '#',
    '%',
    '---\n',
    '...\n',
    '<<: ',
    'backends',
    'id',
    'transport',
    'mcpServers',
    'x',
    '1',
    'null',
    '${',
    '}',
    '$$',
    '\\u',
    '\ud800',
  );
  const text = fc.array(mark, { maxLength: 40 }).map((parts) => parts.join(''));
  fc.assert(fc.property(text, fc.constantFrom('f.yml', 'f.json', 'f'), survives), { numRuns: runs });
});

test('so is a good file with some characters changed', () => {
  const good = readFileSync(join(import.meta.dirname, '../../../configs/example.yml'), 'utf8');
  const change = fc.tuple(fc.nat(good.length), fc.nat(3), fc.string({ unit: 'binary', maxLength: 3 }));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      let text = good;
      for (const [at, length, put] of changes) text = text.slice(0, at) + put + text.slice(at + length);
      survives(text);
    }),
    { numRuns: process.env.TEST_LONG ? 5000 : 60 },
  );
});

test('so is any tree of values in the place of any section', () => {
  const key = fc.constantFrom(
    'id',
    'name',
    'transport',
    'type',
    'command',
    'args',
    'env',
    'url',
    'headers',
    'tools',
    'mode',
    'list',
    'tls',
    'disabled',
    'timeout',
    'share',
    'token',
    'limits',
    '__proto__',
    'constructor',
    'a b',
  );
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom<unknown>(null, true, 0, -1, 1e300, '', 'stdio', 'https', 'http://x', '${X}', '~', '8080'),
      fc.array(tie('any'), { maxLength: 3 }),
      fc.dictionary(key, tie('any'), { maxKeys: 5 }),
    ),
  })).any;
  fc.assert(
    fc.property(
      fc.constantFrom('backends', 'mcpServers', 'servers', 'share', 'aggregator', 'limits'),
      value,
      (section, inside) => {
        survives(JSON.stringify({ backends: [], [section]: inside }));
        survives(JSON.stringify({ [section]: inside }));
        survives(JSON.stringify({ [section]: { a: inside } }));
        survives(JSON.stringify({ [section]: [inside] }));
      },
    ),
    { numRuns: runs },
  );
});

test('every case of the YAML test suite is read or refused, and values come out as the suite says', (t) => {
  const path = join(corpora, 'yaml-test-suite/cases.jsonl');
  if (!existsSync(path)) {
    process.stderr.write('yaml-test-suite is not here: its 402 cases were NOT run\n');
    t.skip('corpus not present');
    return;
  }
  const cases = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((one) => JSON.parse(one) as SuiteCase);
  assert.ok(cases.length > 400);
  let compared = 0;
  const accepted: string[] = [];
  for (const { id, error, files } of cases) {
    const text = files['in.yaml'] ?? '';
    for (const file of ['f.yml', 'f.json', 'f']) survives(text, file);
    const report = openReport('f.yml');
    const node = parseSource(text, 'f.yml', report);
    if (!node || report.failed()) continue;
    if (error) accepted.push(id);
    else if (files['in.json'] !== undefined && sameValue(node, files['in.json'])) compared += 1;
  }
  // What the `yaml` package takes although the suite refuses it: none of it can be a configuration's meaning.
  assert.deepEqual(accepted, []);
  assert.ok(compared > 150, `compared ${compared}`);
});

interface SuiteCase {
  readonly id: string;
  readonly error: boolean;
  readonly files: Readonly<Record<string, string>>;
}

function sameValue(node: Node, json: string): boolean {
  let expected: unknown;
  try {
    expected = JSON.parse(json);
  } catch {
    return false;
  }
  assert.deepEqual(plain(node), expected);
  return true;
}

function plain(node: Node): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(plain);
  return Object.fromEntries([...node.entries].map(([key, { value }]) => [key, plain(value)]));
}
