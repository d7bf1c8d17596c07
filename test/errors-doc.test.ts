// docs/ERRORS.md is the catalogue: each code of ours stands there under its heading, nothing stands there that does not
// exist, each is raised somewhere in the sources and looked for by name in a test.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { CLI_ERROR_CODES, EXIT, exitCodeOf } from '../packages/cli/src/index.ts';
import { CONFIG_ERROR_CODES, SECRET_ERROR_CODES } from '../packages/config/src/index.ts';
import { AUDIT_ERROR_CODES } from '../packages/gateway/src/audit/errors.ts';
import { PIN_ERROR_CODES } from '../packages/gateway/src/pins/errors.ts';
import { SUCCESSION_ERROR_CODES } from '../packages/gateway/src/succession/errors.ts';
import { ACCESS_ERROR_CODES, IDENTITY_ERROR_CODES, OVERLAY_ERROR_CODES } from '../packages/overlay/src/index.ts';
import { FAULT_CODES, RELAY_ERROR_CODES, RPC_ERRORS } from '../packages/relay/src/index.ts';
import { ZITI_ERROR_CODES } from '../packages/ziti/src/index.ts';

const root = join(import.meta.dirname, '..');
const doc = readFileSync(join(root, 'docs/ERRORS.md'), 'utf8');

/** Heading -> the codes that stand under it, in the order of their catalogue. */
const SECTIONS: Readonly<Record<string, readonly string[]>> = {
  'Exit codes': Object.values(EXIT).map(String),
  'What an agent sees (JSON-RPC)': Object.keys(RPC_ERRORS),
  'Skipped lines (faults)': FAULT_CODES,
  'Shares and the overlay': OVERLAY_ERROR_CODES,
  'The OpenZiti client': ZITI_ERROR_CODES,
  'Who somebody is': IDENTITY_ERROR_CODES,
  'Access tokens': ACCESS_ERROR_CODES,
  'Links and transports': RELAY_ERROR_CODES,
  'The audit log': AUDIT_ERROR_CODES,
  'Configuration and use': [...CLI_ERROR_CODES, ...CONFIG_ERROR_CODES],
  Secrets: SECRET_ERROR_CODES,
  Pins: PIN_ERROR_CODES,
  'Taking a share over': SUCCESSION_ERROR_CODES,
};

/** The rows of a section's table: column name -> cell, without code marks. */
function table(heading: string): Record<string, string>[] {
  const section = doc.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const [head = [], , ...rows] = section
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.split('|').slice(1, -1));
  return rows.map((cells) =>
    Object.fromEntries(
      cells.map((cell, at) => [(head[at] ?? '').trim().replaceAll('`', ''), cell.trim().replace(/^`(.*)`$/, '$1')]),
    ),
  );
}

function firstCells(heading: string): string[] {
  return table(heading).map((row) => Object.values(row)[0] ?? '');
}

test('docs/ERRORS.md has a section for each catalogue and no other', () => {
  const headings = [...doc.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading);
  assert.deepEqual(headings, Object.keys(SECTIONS));
});

for (const [heading, codes] of Object.entries(SECTIONS)) {
  test(`docs/ERRORS.md: ${heading}: every code, each once, none that does not exist`, () => {
    assert.deepEqual(firstCells(heading), codes);
  });
}

test('docs/ERRORS.md: numbers and exit codes are the real ones', () => {
  for (const row of table('What an agent sees (JSON-RPC)')) {
    assert.equal(Number(row.code), RPC_ERRORS[row['data.error'] as keyof typeof RPC_ERRORS], row['data.error']);
  }
  for (const heading of [
    'Shares and the overlay',
    'Who somebody is',
    'Access tokens',
    'Links and transports',
    'The audit log',
    'Configuration and use',
    'Secrets',
  ]) {
    for (const { code = '', exit } of table(heading)) {
      // A dash: no program ends for this.
      if (exit !== '–') assert.equal(Number(exit), exitCodeOf({ code }), code);
    }
  }
});

/** All *.ts files under a folder, with their text. */
function sources(folder: string): { path: string; text: string }[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.includes('node_modules'))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: relative(root, path), text: readFileSync(path, 'utf8') }));
}

const everything = [...sources('packages'), ...sources('test')];
/** Where the codes are listed, and where what they mean for an exit is. */
const CATALOGUES = new Set([
  'packages/relay/src/errors.ts',
  'packages/relay/src/message.ts',
  'packages/overlay/src/errors.ts',
  'packages/config/src/errors.ts',
  'packages/config/src/secret/errors.ts',
  'packages/ziti/src/errors.ts',
  'packages/gateway/src/audit/errors.ts',
]);
const codes = Object.entries(SECTIONS).flatMap(([heading, all]) => (heading === 'Exit codes' ? [] : all));

test('every code is raised somewhere', () => {
  const raising = everything.filter(({ path }) => /^packages\/\w+\/src\//.test(path) && !path.includes('/testing/'));
  const unused = codes.filter((code) => {
    const literal = new RegExp(`['.]${code}\\b`);
    // An error class with one code of its own raises it by being thrown.
    return !raising.some(
      ({ path, text }) => (!CATALOGUES.has(path) || /readonly code[^=]*= '/.test(text)) && literal.test(text),
    );
  });
  assert.deepEqual(unused, []);
});

test('every code is looked for by name in a test', () => {
  // The compliance suite is a test: every driver runs it.
  const isTest = (path: string): boolean => path.endsWith('.test.ts') || path.includes('/testing/compliance/');
  const tests = everything.filter(({ path }) => isTest(path) && !path.endsWith('errors-doc.test.ts'));
  const untested = codes.filter((code) => !tests.some(({ text }) => new RegExp(`['"./]${code}\\b`).test(text)));
  assert.deepEqual(untested, []);
});
