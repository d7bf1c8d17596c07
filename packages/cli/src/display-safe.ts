// Whatever a person sees on a terminal or in a log goes through here: names, reasons and lines come from servers. What would
// steer the terminal, turn its reading direction or show as nothing is written as `<U+202E>`.

/** Controls, format characters, separators, half characters, and all that shows as nothing; the two selectors that choose
 *  between text and emoji stay, one at a time. */
const UNSAFE =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0]|(?![\ufe0e\ufe0f])\p{Default_Ignorable_Code_Point}|(?<=[\ufe00-\ufe0f])[\ufe00-\ufe0f]/gu;

/** On one line. */
export function displaySafe(text: string): string {
  return text.replace(UNSAFE, shown);
}

/** Line breaks stay. */
export function displaySafeLines(text: string): string {
  return text.replace(UNSAFE, (char) => (char === '\n' ? char : shown(char)));
}

/** JSON for people and logs: the same value, but nothing in it steers whatever shows it. */
export function displaySafeJson(json: string): string {
  return json.replace(UNSAFE, (char) => (char === '\n' ? char : jsonEscape(char)));
}

function shown(char: string): string {
  return `<U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}>`;
}

function jsonEscape(char: string): string {
  return Array.from({ length: char.length }, (_, at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, '0')}`).join(
    '',
  );
}
