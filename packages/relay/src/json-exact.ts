// JSON numbers that a double cannot carry (2^53 + 1, 0.1 with thirty digits, -0), kept as their text.
// Used where a value is parsed, changed and written again; the scan (./json-scan.ts) says when a message needs it, so
// that the native JSON functions do all the rest. Invariant: what is not changed is written as the same number.

/** JSON text that is written back as it came: an id, a number. */
export class RawJson {
  static #written = 0;
  readonly text: string;

  constructor(text: string) {
    if (/[\n\r]/.test(text)) throw new TypeError('raw JSON must stand on one line');
    this.text = text;
  }

  /** For whoever writes it with JSON.stringify (a log): the nearest value. `stringifyExact` writes the text. */
  toJSON(): unknown {
    RawJson.#written += 1;
    const value: unknown = JSON.parse(this.text);
    return typeof value === 'number' && !Number.isFinite(value) ? this.text : value;
  }

  /** How many were met by JSON.stringify: a cheap way to see that a value holds one. */
  static get written(): number {
    return RawJson.#written;
  }
}

/** A number that a double would change. */
export class ExactNumber extends RawJson {}

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | RawJson
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue | undefined };

/** Whether JSON.stringify(JSON.parse(text)) is the same number, sign of zero included. `text` is a JSON number. */
export function survivesDouble(text: string): boolean {
  const number = Number(text);
  const written = String(number);
  if (written === text) return true;
  return Number.isFinite(number) && decimalOf(text) === decimalOf(written);
}

/** JSON.parse, but with an ExactNumber for each number that would not survive. Throws a SyntaxError like it. */
export function parseExact(text: string): JsonValue {
  JSON.parse(text); // Judges the grammar, so that the reader below only has to find its way.
  return new ExactReader(text).value();
}

/** JSON.stringify, but RawJson is written as its text. Undefined members are left out; undefined itself is null. */
export function stringifyExact(value: unknown): string {
  const before = RawJson.written;
  const text = JSON.stringify(value) as string | undefined;
  if (RawJson.written === before) return text ?? 'null';
  const parts: string[] = [];
  write(value, parts);
  return parts.join('');
}

/** Sign, digits without outer zeros, exponent: equal texts are equal numbers. Linear, also for a million zeros. */
function decimalOf(text: string): string {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e');
  const sign = mantissa.startsWith('-') ? '-' : '';
  const [whole = '', fraction = ''] = mantissa.slice(sign.length).split('.');
  const digits = whole + fraction;
  let first = 0;
  while (digits.charCodeAt(first) === 0x30) first++;
  let end = digits.length;
  while (end > first && digits.charCodeAt(end - 1) === 0x30) end--;
  if (first === end) return `${sign}0`;
  return `${sign}0.${digits.slice(first, end)}e${Number(exponent) + whole.length - first}`;
}

/** Walks a text whose grammar is known to be right. */
class ExactReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): JsonValue {
    switch (this.#next()) {
      case '{':
        return this.#object();
      case '[':
        return this.#array();
      case '"':
        return this.#string();
      case 't':
        return this.#word(true, 4);
      case 'f':
        return this.#word(false, 5);
      case 'n':
        return this.#word(null, 4);
      default:
        return this.#number();
    }
  }

  /** The next byte that is no blank. */
  #next(): string {
    while (' \t\n\r'.includes(this.#text.charAt(this.#at))) this.#at++;
    return this.#text.charAt(this.#at);
  }

  #object(): JsonValue {
    const entries: [string, JsonValue][] = [];
    this.#at++;
    while (this.#next() !== '}') {
      if (this.#next() === ',') this.#at++;
      this.#next();
      const key = this.#string();
      this.#next();
      this.#at++;
      entries.push([key, this.value()]);
    }
    this.#at++;
    // Defines, never assigns: `__proto__` becomes a member like any other, as with JSON.parse.
    return Object.fromEntries(entries);
  }

  #array(): JsonValue {
    const items: JsonValue[] = [];
    this.#at++;
    while (this.#next() !== ']') {
      if (this.#next() === ',') this.#at++;
      items.push(this.value());
    }
    this.#at++;
    return items;
  }

  #string(): string {
    const start = this.#at;
    let end = start;
    do end = this.#text.indexOf('"', end + 1);
    while (isEscaped(this.#text, end));
    this.#at = end + 1;
    return JSON.parse(this.#text.slice(start, end + 1)) as string;
  }

  #word<T>(value: T, length: number): T {
    this.#at += length;
    return value;
  }

  #number(): JsonValue {
    const start = this.#at;
    while ('+-.0123456789eE'.includes(this.#text.charAt(this.#at) || ',')) this.#at++;
    const text = this.#text.slice(start, this.#at);
    return survivesDouble(text) ? Number(text) : new ExactNumber(text);
  }
}

function isEscaped(text: string, quote: number): boolean {
  let at = quote;
  while (text.charCodeAt(at - 1) === 0x5c) at--;
  return (quote - at) % 2 === 1;
}

function write(value: unknown, parts: string[]): void {
  if (value instanceof RawJson) {
    parts.push(value.text);
  } else if (Array.isArray(value)) {
    parts.push('[');
    value.forEach((item, index) => {
      if (index > 0) parts.push(',');
      write(item, parts);
    });
    parts.push(']');
  } else if (typeof value === 'object' && value !== null && !hasOwnForm(value)) {
    let separator = '{';
    for (const [key, item] of Object.entries(value)) {
      if (item === undefined) continue;
      parts.push(separator, JSON.stringify(key), ':');
      write(item, parts);
      separator = ',';
    }
    parts.push(separator === '{' ? '{}' : '}');
  } else {
    parts.push((JSON.stringify(value) as string | undefined) ?? 'null');
  }
}

function hasOwnForm(value: object): boolean {
  return 'toJSON' in value && typeof value.toJSON === 'function';
}
