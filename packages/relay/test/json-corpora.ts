// Test data of others, kept beside the repository (CORPORA_DIR says otherwise). Where it is not there, tests that need
// it are skipped and say so.

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = process.env.CORPORA_DIR ?? fileURLToPath(new URL('../../../../shared/corpora', import.meta.url));

export interface JsonCase {
  readonly name: string;
  readonly bytes: Buffer;
}

/** For the `skip` option of a test: false, or why. */
export const missingCorpora: string | false = existsSync(`${folder}/json-test-suite`)
  ? false
  : `CORPORA MISSING: no json-test-suite in ${folder}; set CORPORA_DIR to check against it`;

/** JSONTestSuite (github.com/nst/JSONTestSuite): `y_` is JSON, `n_` is not, `i_` is for each parser to say. */
export function jsonCases(file: 'test_parsing' | 'test_transform' = 'test_parsing'): JsonCase[] {
  if (missingCorpora !== false) return [];
  const lines = readFileSync(`${folder}/json-test-suite/${file}.jsonl`, 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const { name, base64 } = JSON.parse(line) as { name: string; base64: string };
    return { name, bytes: Buffer.from(base64, 'base64') };
  });
}

/** Big List of Naughty Strings. */
export function naughtyStrings(): string[] {
  if (missingCorpora !== false) return [];
  return JSON.parse(readFileSync(`${folder}/naughty-strings/blns.json`, 'utf8')) as string[];
}
