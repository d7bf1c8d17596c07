// Random pairs of backend and tool, made to meet: separators inside names, case, dots, lengths about the limit, look-alikes.

import { type Named, type NameTable, nameAll, naming } from '../../src/routing/names.ts';

const IDS = ['a', 'A', 'a-b', 'a_b', 'ab', 'b', 'fs', 'FS', 'x1', 'long-backend-name-of-31-letters'];
const PARTS = [
  'a',
  'b',
  'A',
  '_',
  '__',
  '.',
  '-',
  ':',
  '/',
  ' ',
  'е',
  'ａ',
  'read',
  'READ',
  'é',
  'e\u0301',
  '\u200b',
  '🙂',
  'x'.repeat(60),
];

export function randomPairs(count: number, random: () => number): Named[] {
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;
  return Array.from({ length: count }, () => ({
    backend: pick(IDS),
    native: Array.from({ length: 1 + Math.floor(random() * 5) }, () => pick(PARTS)).join(''),
  }));
}

/** What is wrong with the table of these pairs; [] where each name leads to one tool and each tool is shown or hidden. */
export function faultsIn(pairs: readonly Named[], separator: string): string[] {
  const table: NameTable<Named> = nameAll(
    pairs,
    naming(
      IDS.map((id) => ({ id })),
      separator,
    ),
  );
  const faults: string[] = [];
  if (table.shown.size + table.hidden.length !== pairs.length) faults.push('a tool is neither shown nor hidden');
  const led = new Map<string, string>();
  const folded = new Map<string, { readonly name: string; readonly backend: string }>();
  for (const [name, { backend, native }] of table.shown) {
    if (!/^[a-zA-Z0-9_-]{1,64}$/.test(name)) faults.push(`illegal: ${name}`);
    const target = JSON.stringify([backend, native]);
    if (led.has(target)) faults.push(`${target} has two names`);
    led.set(target, name);
    const other = folded.get(name.toLowerCase());
    if (other && other.backend !== backend) faults.push(`${name} and ${other.name} differ by case alone`);
    folded.set(name.toLowerCase(), { name, backend });
  }
  return faults;
}
