// Test data of others that lies beside the repository, not in it. Where it is missing the tests say so, loudly, and what
// they would have shown is not shown.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../../../..');
const folder = [join(root, '../shared/corpora'), join(root, '../../shared/corpora')].find((path) => existsSync(path));

export function corpus(path: string): string | undefined {
  const file = folder && join(folder, path);
  if (file && existsSync(file)) return readFileSync(file, 'utf8');
  process.stderr.write(`\n*** ${path}: this corpus is not here, so its test shows nothing ***\n\n`);
  return undefined;
}

export interface AttackCase {
  readonly category: string;
  readonly label: 'positive' | 'negative' | 'evasion';
  readonly text: string;
  readonly field: string;
}

export function attackCases(): readonly AttackCase[] | undefined {
  return corpus('agent-threat-rules/cases.jsonl')
    ?.trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as AttackCase);
}

export function naughtyStrings(): readonly string[] | undefined {
  const text = corpus('naughty-strings/blns.json');
  return text === undefined ? undefined : (JSON.parse(text) as string[]);
}
