// How a piece of a definition is shown to who decides on it: as `displaySafe` does, and letters of right-to-left scripts as
// `<U+05D0>` where others stand beside them. A terminal would move those around, and what is read was not what is there.
// Text in such a script alone stays readable.

import { displaySafe } from '@mcp-overlay/cli';

/** Strong right-to-left letters: Bidi_Class R and AL, whole blocks of them (Unicode 15, DerivedBidiClass.txt). */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/gu;
const LEFT_TO_RIGHT = /[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}0-9]/u;

export function inOrder(text: string): string {
  const safe = displaySafe(text);
  return LEFT_TO_RIGHT.test(text) ? safe.replace(RIGHT_TO_LEFT, mark) : safe;
}

/** The letters that would turn the order of what stands beside them. */
export function turningIn(text: string): readonly string[] {
  return LEFT_TO_RIGHT.test(text) ? [...new Set(text.match(RIGHT_TO_LEFT))].map(mark) : [];
}

function mark(char: string): string {
  return `<U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}>`;
}
