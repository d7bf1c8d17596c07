// Globs of rules, compiled for names that are asked for again and again: what is a plain word, a beginning or everything
// needs no pattern matching.

import { compileGlob } from '@mcp-overlay/config';

export type Names = (name: string) => boolean;

export function compileNames(globs: readonly string[]): Names {
  if (globs.includes('*')) return () => true;
  const words = new Set<string>();
  const others: Names[] = [];
  for (const glob of globs) {
    const simple = plainOrPrefix(glob);
    if (simple === undefined) others.push(compileGlob(glob));
    else if (simple.prefix) others.push((name) => name.startsWith(simple.text));
    else words.add(simple.text);
  }
  const [only, more] = others;
  if (!only) return (name) => words.has(name);
  if (!more && words.size === 0) return only;
  return (name) => words.has(name) || others.some((matches) => matches(name));
}

/** undefined: it has more than a star at its end. */
function plainOrPrefix(glob: string): { readonly text: string; readonly prefix: boolean } | undefined {
  const prefix = glob.endsWith('*') && !glob.endsWith('\\*');
  const text = prefix ? glob.slice(0, -1) : glob;
  // `*` takes whole characters, `startsWith` half ones too: the half of a pair is not worth the difference.
  return /[*?[\]\\]/.test(text) ? undefined : { text, prefix };
}
