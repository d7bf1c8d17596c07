// Keeps secrets out of everything a program of ours writes for people: logs, errors, tables, answers of the admin socket,
// lines of children. A secret that was read is told here first; from then on each form of it that it could appear in is
// replaced. What is registered never leaves this file.

/** Shorter ones would be found everywhere: they cannot be hidden. */
export const MIN_HIDDEN_BYTES = 8;
/** Values that are hidden at a time; with more the oldest are forgotten. A program has a handful, and each rotation adds one. */
export const MAX_HIDDEN = 4096;
/** A line of a secret with several (a private key) is hidden by itself too: output is cut into lines. */
const MIN_LINE_CHARS = 20;

export const HIDDEN = '[secret]';

export class OutputFilter {
  /** Value -> its forms. Insertion order is age. */
  readonly #hidden = new Map<string, readonly string[]>();
  /** The first characters of forms -> the forms that begin so, the longest first. */
  #beginnings: ReadonlyMap<string, readonly string[]> | undefined;
  #needles: readonly Buffer[] | undefined;

  /** How many values are hidden. */
  get size(): number {
    return this.#hidden.size;
  }

  /** false: it is too short to be hidden. */
  hide(value: Uint8Array | string): boolean {
    const bytes = Buffer.from(value);
    if (bytes.length < MIN_HIDDEN_BYTES) return false;
    const key = bytes.toString('latin1');
    const known = this.#hidden.get(key);
    this.#hidden.delete(key);
    this.#hidden.set(key, known ?? formsOf(bytes));
    if (known !== undefined) return true;
    const [oldest] = this.#hidden.keys();
    if (this.#hidden.size > MAX_HIDDEN && oldest !== undefined) this.#hidden.delete(oldest);
    this.#beginnings = undefined;
    this.#needles = undefined;
    return true;
  }

  /** Whether there is anything to clean: for large texts of which few have it, with few secrets. */
  finds(text: Buffer): boolean {
    this.#needles ??= [...new Set([...this.#hidden.values()].flat())].map((form) => Buffer.from(form));
    return this.#needles.some((needle) => text.includes(needle));
  }

  /** Its time depends on the length of the text, hardly on how much is hidden. */
  clean(text: string): string {
    if (this.#hidden.size === 0) return text;
    this.#beginnings ??= beginningsOf([...this.#hidden.values()].flat());
    let clean = '';
    let from = 0;
    for (let at = 0; at <= text.length - MIN_HIDDEN_BYTES; ) {
      const forms = this.#beginnings.get(text.slice(at, at + MIN_HIDDEN_BYTES));
      const found = forms?.find((form) => text.startsWith(form, at));
      if (found === undefined) {
        at += 1;
        continue;
      }
      clean += text.slice(from, at) + HIDDEN;
      at += found.length;
      from = at;
    }
    return from === 0 ? text : clean + text.slice(from);
  }
}

function beginningsOf(forms: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const beginnings = new Map<string, string[]>();
  for (const form of [...new Set(forms)].sort((a, b) => b.length - a.length)) {
    const beginning = form.slice(0, MIN_HIDDEN_BYTES);
    const others = beginnings.get(beginning);
    if (others) others.push(form);
    else beginnings.set(beginning, [form]);
  }
  return beginnings;
}

/** Each way in which these bytes may stand in a text. */
function formsOf(bytes: Buffer): string[] {
  const text = bytes.toString('utf8');
  const forms = new Set<string>();
  for (const whole of isText(bytes, text) ? [text, ...linesOf(text)] : []) {
    for (const form of textForms(whole)) forms.add(form);
  }
  const hex = bytes.toString('hex');
  forms.add(hex).add(hex.toUpperCase());
  for (const form of base64Forms(bytes)) forms.add(form);
  return [...forms].filter((form) => form.length >= MIN_HIDDEN_BYTES);
}

function textForms(text: string): string[] {
  const json = JSON.stringify(text).slice(1, -1);
  const url = encodeURIComponent(text);
  const form = new URLSearchParams({ v: text }).toString().slice(2);
  const lower = (encoded: string): string => encoded.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase());
  return [
    text,
    json,
    // Other encoders escape what is not ASCII, and a JSON text may stand inside another.
    json.replace(/[\x7f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`),
    json.replace(/[<>&]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`),
    json.replaceAll('/', '\\/'),
    JSON.stringify(json).slice(1, -1),
    url,
    lower(url),
    form,
    lower(form),
    encodeURI(text),
  ];
}

/** Inside a longer text the bytes may begin at any of three places of a group of four characters; the characters at the
 *  edges also hold bits of the neighbours, so they are left out. */
function base64Forms(bytes: Buffer): string[] {
  const forms: string[] = [bytes.toString('base64'), bytes.toString('base64url')];
  for (let before = 0; before < 3; before += 1) {
    const bits = (before + bytes.length) * 8;
    const whole = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    const core = whole.slice(Math.ceil((before * 8) / 6), Math.floor(bits / 6));
    forms.push(core, core.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return forms;
}

function linesOf(text: string): string[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  if (lines.length < 2) return [];
  // `-----BEGIN …-----` stands in every key.
  return lines.filter((line) => line.length >= MIN_LINE_CHARS && !line.startsWith('-----'));
}

function isText(bytes: Buffer, text: string): boolean {
  return Buffer.from(text).equals(bytes);
}

/** The one of this process, because its outputs are those of this process. */
const filter = new OutputFilter();

/** false: it is too short to be hidden. */
export function hideFromOutput(value: Uint8Array | string): boolean {
  return filter.hide(value);
}

/** What may be written: secrets that were told replaced. */
export function withoutSecrets(text: string): string {
  return filter.clean(text);
}
