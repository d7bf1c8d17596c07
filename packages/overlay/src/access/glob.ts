// Patterns in tokens: `*` any characters, `?` one, `\` takes the next as it is. A stranger writes them and a stranger's
// name is matched, so: no regular expression, at most pattern length times name length steps, and both are capped.

/** undefined: fine. Sets in brackets are refused rather than taken literally: in the configuration they mean something. */
export function globRefusal(pattern: string): string | undefined {
  if (pattern === '') return 'an empty pattern matches nothing';
  const plain = pattern.replace(/\\./gsu, '');
  if (plain.includes('\\')) return 'nothing follows the last \\';
  return /[[\]]/.test(plain) ? 'a pattern of a token has no sets; \\[ is the character' : undefined;
}

export function globMatches(pattern: string, text: string): boolean {
  if (pattern === '*' || pattern === text) return true;
  const wanted = [...pattern];
  const chars = [...text];
  let at = 0;
  let star = -1;
  let resume = 0;
  for (let char = 0; char < chars.length; ) {
    const escaped = wanted[at] === '\\';
    const literal = escaped ? wanted[at + 1] : wanted[at];
    if (!escaped && literal === '*') {
      star = at;
      resume = char;
      at += 1;
    } else if ((!escaped && literal === '?') || (literal !== undefined && literal === chars[char])) {
      at += escaped ? 2 : 1;
      char += 1;
    } else if (star >= 0) {
      // Only the last star is ever extended: what an earlier one took can stay as short as it was.
      resume += 1;
      char = resume;
      at = star + 1;
    } else return false;
  }
  while (wanted[at] === '*') at += 1;
  return at === wanted.length;
}
