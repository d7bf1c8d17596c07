// A small reader of RE2 patterns, for tests and for the conversion of foreign rules: enough of a tree to make texts that
// match, and texts that almost match as long as possible. It judges nothing: re2js does.

export type Tree =
  | { readonly kind: 'set'; readonly body: string; readonly fold: boolean }
  | { readonly kind: 'edge' }
  | { readonly kind: 'all'; readonly parts: readonly Tree[] }
  | { readonly kind: 'any'; readonly parts: readonly Tree[] }
  | { readonly kind: 'repeat'; readonly part: Tree; readonly min: number; readonly max: number };

/** Printable ASCII and what layout needs: what samples are made of. */
const ALPHABET = [...Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at)), '\n', '\t'];
const MAX_REPEAT = Number.POSITIVE_INFINITY;

export function parseTree(source: string): Tree {
  let at = 0;
  let fold = false;
  const alternatives = (): Tree => {
    const before = fold;
    const parts = [sequence()];
    while (source[at] === '|') {
      at += 1;
      parts.push(sequence());
    }
    fold = before;
    return parts.length === 1 ? (parts[0] as Tree) : { kind: 'any', parts };
  };
  const sequence = (): Tree => {
    const parts: Tree[] = [];
    while (at < source.length && source[at] !== '|' && source[at] !== ')') {
      const part = repeated(atom());
      parts.push(part);
    }
    return { kind: 'all', parts };
  };
  const atom = (): Tree => {
    const char = source[at] ?? '';
    at += 1;
    if (char === '(') return group();
    if (char === '[') return { kind: 'set', body: classBody(), fold };
    if (char === '.') return { kind: 'set', body: ' -~', fold };
    if (char === '^' || char === '$') return { kind: 'edge' };
    if (char === '\\') return escaped();
    return { kind: 'set', body: /[\\\]^-]/.test(char) ? `\\${char}` : char, fold };
  };
  const group = (): Tree => {
    if (source[at] === '?') {
      const [flags = ''] = /^\?(?:P?<[^>]+>|[a-zA-Z]*(?:-[a-zA-Z]+)?[:)])/.exec(source.slice(at)) ?? [];
      at += flags.length;
      const on = flags.split('-')[0]?.includes('i') === true && !flags.includes('<');
      const off = flags.split('-')[1]?.includes('i') === true;
      if (flags.endsWith(')')) {
        fold = on || (fold && !off);
        return { kind: 'all', parts: [] };
      }
      const before = fold;
      fold = on || (fold && !off);
      const inner = alternatives();
      at += 1;
      fold = before;
      return inner;
    }
    const inner = alternatives();
    at += 1;
    return inner;
  };
  const escaped = (): Tree => {
    const char = source[at] ?? '';
    at += 1;
    if (/[bBAz]/.test(char)) return { kind: 'edge' };
    if (char === 'x') {
      const [whole = '', long, short] = /^(?:\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{2}))/.exec(source.slice(at)) ?? [];
      at += whole.length;
      return { kind: 'set', body: String.fromCodePoint(Number.parseInt(long ?? short ?? '20', 16)), fold };
    }
    return { kind: 'set', body: `\\${char}`, fold };
  };
  const classBody = (): string => {
    const from = at;
    if (source[at] === '^') at += 1;
    if (source[at] === ']') at += 1;
    while (at < source.length && source[at] !== ']') {
      if (source[at] === '[' && source[at + 1] === ':') at = source.indexOf(':]', at) + 2;
      else at += source[at] === '\\' ? 2 : 1;
    }
    at += 1;
    return source
      .slice(from, at - 1)
      .replaceAll('[:alnum:]', 'A-Za-z0-9')
      .replace(/\\x\{([0-9a-f]+)\}/gi, (_, code: string) => String.fromCodePoint(Number.parseInt(code, 16)));
  };
  const repeated = (part: Tree): Tree => {
    const [whole = '', sign, min, comma, max] = /^(?:([*+?])|\{(\d+)(,?)(\d*)\})\??/.exec(source.slice(at)) ?? [];
    if (whole === '') return part;
    at += whole.length;
    const bounds =
      sign === '*'
        ? [0, MAX_REPEAT]
        : sign === '+'
          ? [1, MAX_REPEAT]
          : sign === '?'
            ? [0, 1]
            : [Number(min), comma === '' ? Number(min) : max === '' ? MAX_REPEAT : Number(max)];
    return repeated({ kind: 'repeat', part, min: bounds[0] ?? 0, max: bounds[1] ?? 0 });
  };
  return alternatives();
}

/** Characters of a class as written between brackets. */
export function charactersOf(body: string, fold: boolean): readonly string[] {
  const member = new RegExp(`[${body}]`, fold ? 'i' : '');
  const found = ALPHABET.filter((char) => member.test(char));
  if (found.length > 0) return found;
  return [...body.replaceAll('\\', '')].filter((char) => char > '~').slice(0, 1);
}

/** A text that matches, repeats `repeats` times where a repeat is open. `pick(n)` chooses one of n. */
export function sampleOf(tree: Tree, pick: (count: number) => number, repeats: number): string {
  switch (tree.kind) {
    case 'edge':
      return '';
    case 'set': {
      const characters = charactersOf(tree.body, tree.fold);
      return characters[pick(characters.length)] ?? '';
    }
    case 'all':
      return tree.parts.map((part) => sampleOf(part, pick, repeats)).join('');
    case 'any':
      return sampleOf(tree.parts[pick(tree.parts.length)] as Tree, pick, repeats);
    case 'repeat': {
      const count = Math.max(tree.min, Math.min(tree.max, repeats));
      return Array.from({ length: count }, () => sampleOf(tree.part, pick, repeats)).join('');
    }
  }
}
