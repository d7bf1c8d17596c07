// Text with secrets in it: `vault:github` as a whole, or `Bearer ${vault:github}` with other text around. Read into parts
// here; the parts become text only where it is used (./compose.ts).

import type { SecretReference } from './reference.ts';

export interface SecretText {
  /** At least one is a reference. */
  readonly parts: readonly (string | SecretReference)[];
}

/** What a variable or header may be. */
export type ConfiguredText = string | SecretText;

export function referencesIn(text: ConfiguredText): readonly SecretReference[] {
  return typeof text === 'string' ? [] : text.parts.filter((part) => typeof part !== 'string');
}

/** A stretch of raw text, variables not yet replaced: `reference` is what stood between `${` and `}`. */
export type Stretch = { readonly plain: string } | { readonly reference: string };

const BEGINS = /^\$\{((?:env|file|creds|cmd|vault|keyring):)/;

/** undefined: a reference begins and does not end. */
export function stretchesOf(raw: string): readonly Stretch[] | undefined {
  const stretches: Stretch[] = [];
  let from = 0;
  for (let at = raw.indexOf('$'); at >= 0; at = raw.indexOf('$', at)) {
    const [, kind] = BEGINS.exec(raw.slice(at, at + 12)) ?? [];
    if (raw[at + 1] === '$') {
      at += 2;
    } else if (kind === undefined) {
      at += 1;
    } else {
      const end = endOf(raw, at + 2, kind === 'cmd:');
      if (end === undefined) return undefined;
      if (at > from) stretches.push({ plain: raw.slice(from, at) });
      stretches.push({ reference: raw.slice(at + 2, end) });
      at = end + 1;
      from = at;
    }
  }
  if (from < raw.length) stretches.push({ plain: raw.slice(from) });
  return stretches;
}

/** Braces inside nest (`{identity}`, `${HOME}`); in a command's list those in strings do not count. */
function endOf(raw: string, from: number, json: boolean): number | undefined {
  let depth = 0;
  let quoted = false;
  for (let at = from; at < raw.length; at += 1) {
    const char = raw[at];
    if (quoted && char === '\\') at += 1;
    else if (json && char === '"') quoted = !quoted;
    else if (quoted) continue;
    else if (char === '{') depth += 1;
    else if (char === '}') {
      if (depth === 0) return at;
      depth -= 1;
    }
  }
  return undefined;
}

/** What begins like a reference and is none. `meant`: nothing else is written like this. */
export function looksLikeReference(raw: string): { kind: string; meant: boolean } | undefined {
  const [, kind, rest = ''] = /^(env|file|creds|cmd|vault|keyring):(.*)$/s.exec(raw) ?? [];
  if (kind === undefined) return undefined;
  const literal = kind === 'env' || kind === 'file' || rest === '' || /^\s/.test(rest);
  return { kind, meant: !literal && (kind !== 'cmd' || /^\s*\[/.test(rest)) };
}
