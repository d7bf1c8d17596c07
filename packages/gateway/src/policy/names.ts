// Globs of rules, compiled for names that are asked for again and again: what is a plain word, or
// words and stars, needs no pattern matching character by character.

import { compileGlob } from '@mcp-overlay/config';

export type Names = (name: string) => boolean;

export function compileNames(globs: readonly string[]): Names {
  if (globs.includes('*')) return () => true;
  const words = new Set<string>();
  const others: Names[] = [];
  for (const glob of globs) {
    const parts = glob.split('*');
    if (/[?[\]\\]/.test(glob)) others.push(compileGlob(glob));
    else if (parts.length === 1) words.add(glob);
    else others.push(withStars(parts));
  }
  const [only, more] = others;
  if (!only) return (name) => words.has(name);
  if (!more && words.size === 0) return only;
  return (name) => words.has(name) || others.some((matches) => matches(name));
}

/** What stands between the stars, in this order: the first at the beginning, the last at the end. */
function withStars(parts: readonly string[]): Names {
  const first = parts[0] ?? '';
  const last = parts[parts.length - 1] ?? '';
  const middle = parts.slice(1, -1).filter((part) => part !== '');
  const least = parts.reduce((sum, part) => sum + part.length, 0);
  return (name) => {
    if (name.length < least || !name.startsWith(first) || !name.endsWith(last)) return false;
    let at = first.length;
    for (const part of middle) {
      // The leftmost place leaves the most for what follows.
      const found = name.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return at <= name.length - last.length;
  };
}
