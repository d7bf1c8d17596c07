// Patterns of tool filters: `*` any characters, `?` one, `[a-z]` `[!a-z]` one of (or none of) a set, `\` takes the next
// character as it is. Matching needs no regular expression: at most pattern length times name length steps, and the
// pattern is capped, so that a stranger's name costs time in proportion to its length.

/** A filter pattern is about as long as a tool name (64); this leaves room for sets. */
export const MAX_GLOB_CHARS = 256;

type Piece = '*' | ((char: string) => boolean);

/** A malformed pattern throws; `globProblem` says what is wrong without throwing. */
export function compileGlob(pattern: string): (name: string) => boolean {
  const pieces = parseGlob(pattern);
  if (typeof pieces === 'string') throw new TypeError(`pattern ${JSON.stringify(pattern)}: ${pieces}`);
  return (name) => matches(pieces, [...name]);
}

export function globProblem(pattern: string): string | undefined {
  const pieces = parseGlob(pattern);
  return typeof pieces === 'string' ? pieces : undefined;
}

/** A pattern that matches this text and nothing else. */
export function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\]/g, '\\$&');
}

function matches(pieces: readonly Piece[], name: readonly string[]): boolean {
  let piece = 0;
  let star = -1;
  let resume = 0;
  for (let char = 0; char < name.length; ) {
    const wanted = pieces[piece];
    if (wanted === '*') {
      star = piece;
      resume = char;
      piece += 1;
    } else if (wanted?.(name[char] ?? '')) {
      piece += 1;
      char += 1;
    } else if (star >= 0) {
      // Only the last star is ever extended: what an earlier one took can stay as short as it was.
      resume += 1;
      char = resume;
      piece = star + 1;
    } else return false;
  }
  while (pieces[piece] === '*') piece += 1;
  return piece === pieces.length;
}

function parseGlob(pattern: string): Piece[] | string {
  const chars = [...pattern];
  if (chars.length === 0) return 'it is empty';
  if (chars.length > MAX_GLOB_CHARS) return `it is longer than ${MAX_GLOB_CHARS} characters`;
  const pieces: Piece[] = [];
  for (let at = 0; at < chars.length; ) {
    const char = chars[at] ?? '';
    if (char === '*') {
      if (pieces.at(-1) !== '*') pieces.push('*');
      at += 1;
    } else if (char === '?') {
      pieces.push(() => true);
      at += 1;
    } else if (char === '[') {
      const set = parseSet(chars, at + 1);
      if (typeof set === 'string') return set;
      pieces.push(set.has);
      at = set.end;
    } else {
      const literal = char === '\\' ? chars[at + 1] : char;
      if (literal === undefined) return 'nothing follows the last \\';
      pieces.push((other) => other === literal);
      at += char === '\\' ? 2 : 1;
    }
  }
  return pieces;
}

function parseSet(chars: readonly string[], start: number): { has: (char: string) => boolean; end: number } | string {
  // `^` as well: it is what the Go original's patterns use.
  const negated = chars[start] === '!' || chars[start] === '^';
  const ranges: (readonly [number, number])[] = [];
  let at = negated ? start + 1 : start;
  const take = (): number | undefined => {
    if (chars[at] === '\\') at += 1;
    const point = chars[at]?.codePointAt(0);
    at += 1;
    return point;
  };
  while (chars[at] !== ']') {
    const low = take();
    if (low === undefined) return 'a [ has no ]';
    let high: number | undefined = low;
    if (chars[at] === '-') {
      at += 1;
      if (chars[at] === ']') return 'a range in [ ] has no end; write \\- for the character -';
      high = take();
    }
    if (high === undefined) return 'a [ has no ]';
    if (high < low) return 'a range in [ ] runs backwards';
    ranges.push([low, high]);
  }
  if (ranges.length === 0) return 'a [ ] is empty';
  const has = (char: string): boolean => {
    const point = char.codePointAt(0) ?? 0;
    return ranges.some(([low, high]) => low <= point && point <= high) !== negated;
  };
  return { has, end: at + 1 };
}
