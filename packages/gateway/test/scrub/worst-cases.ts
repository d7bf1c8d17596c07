// Texts that make a pattern work as much as it can without ending: what matches its beginning, again and again, with its
// repeats drawn long and its end left out.

import { parseTree, sampleOf, type Tree } from './regex-tree.ts';

/** Seeded, so that a failure comes again. */
export function picker(seed: number): (count: number) => number {
  let state = seed >>> 0 || 1;
  return (count) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % Math.max(1, count);
  };
}

export function worstCases(re2: string, literals: readonly string[], count: number): string[] {
  const tree = parseTree(re2);
  const units = literals.slice(0, count).map((literal) => `${literal} `);
  for (let at = 0; at < count; at += 1) {
    const pick = picker(at + 1);
    const whole = sampleOf(tree, pick, 40);
    units.push(whole.slice(0, -1), whole.slice(0, Math.ceil(whole.length / 2)), sampleOf(beginning(tree), pick, 200));
  }
  return units.filter((unit) => unit.length > 0);
}

/** The first part of a sequence, all alternatives kept. */
function beginning(tree: Tree): Tree {
  if (tree.kind !== 'all' || tree.parts.length < 2) return tree;
  return { kind: 'all', parts: tree.parts.slice(0, Math.max(1, tree.parts.length - 1)) };
}
