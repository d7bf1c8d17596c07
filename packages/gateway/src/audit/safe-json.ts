// JSON that is safe to look at in a terminal and line by line: besides what JSON escapes anyway (C0, lone surrogates), DEL,
// C1 and the two line separators of Unicode. What strangers send stands in records only through here.

const RISKY = /[\x7f-\x9f\u2028\u2029]/;
const EACH_RISKY = /[\x7f-\x9f\u2028\u2029]/g;

/** undefined, functions and the like are null. */
export function safeJson(value: unknown): string {
  return escaped(JSON.stringify(value) ?? 'null');
}

/** JSON in which nothing stands unescaped that only texts in it can hold. */
export function escaped(json: string): string {
  if (!RISKY.test(json)) return json;
  return json.replace(EACH_RISKY, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The first `max` units, and how many more there were. */
export function cutText(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max)}…[+${text.length - max}]`;
}
