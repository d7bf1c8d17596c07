// Names of arguments in rules: `a.b` is member b of a, `a\.b` is one name with a dot in it.

/** undefined: it is none. */
export function splitPath(text: string): readonly string[] | undefined {
  const names: string[] = [''];
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at] ?? '';
    if (char === '.') names.push('');
    else if (char !== '\\') names[names.length - 1] += char;
    else {
      at += 1;
      const next = text[at];
      if (next === undefined) return undefined;
      names[names.length - 1] += next;
    }
  }
  return names.includes('') ? undefined : names;
}

export function escapePath(names: readonly string[]): string {
  return names.map((name) => name.replace(/[.\\]/g, '\\$&')).join('.');
}
