// What people do not see and a model reads: tag characters, runs of variation selectors, zero-width characters between
// ordinary letters, reading direction turned around, terminal sequences. Joiners in emoji, Persian and Indic text, flags of
// regions and plain right-to-left marks are as they should be, and no finding.

export interface InvisibleSpan {
  readonly rule:
    | 'invisible-tags'
    | 'invisible-selectors'
    | 'invisible-zero-width'
    | 'invisible-bidi'
    | 'terminal-escape';
  readonly start: number;
  readonly end: number;
  /** What it says, where it says something. */
  readonly hidden?: string;
}

const SUSPECT =
  /[\p{VS}\x1b\x9b\x9d\u200b-\u200d\u2060-\u2064\ufeff\u00ad\u202a-\u202e\u2066-\u2069\u180e\u{e0000}-\u{e007f}]/u;

/** A region's flag: black flag, letters and digits as tags, end (UTS #51, emoji tag sequence). */
const TAGS = /(\u{1f3f4})?[\u{e0000}-\u{e007f}]+/gu;
const REGION = /^\u{1f3f4}[\u{e0030}-\u{e0039}\u{e0061}-\u{e007a}]{3,6}\u{e007f}$/u;
const SELECTORS = /[\ufe00-\ufe0f\u{e0100}-\u{e01ef}]{2,}/gu;
/** Between or after letters, digits and blanks of Latin text; one at the very start is a byte order mark. */
const ZERO_WIDTH =
  /[\u200b-\u200d\u2060-\u2064\ufeff\u180e]{2,}|(?<=[!-~])[\u200b-\u200d\u2060-\u2064\ufeff\u180e](?=[!-~])|(?<=[A-Za-z])\u00ad(?=[A-Za-z]\u00ad)/gu;
/** Overrides are never needed; embeddings and isolates are, where something is written from right to left. */
const OVERRIDE = /[\u202d\u202e]/gu;
const EMBEDDED = /[\u202a\u202b\u202c\u2066-\u2069]/gu;
const RIGHT_TO_LEFT = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;
/** CSI, OSC, DCS and friends (ECMA-48), and what is left of one that was cut. A colour (SGR) is no finding. */
const ESCAPES =
  /(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,8}[@-~]?|(?:\x1b[\]PX^_]|\x9d)[^\x07\x1b]{0,2048}(?:\x07|\x1b\\)?|\x1b[ -/]{0,4}[0-~]?/g;
const COLOUR = /^\x1b\[[0-9;:]*m$/;

export function mayHideSomething(text: string): boolean {
  return SUSPECT.test(text);
}

export function invisibleIn(text: string): InvisibleSpan[] {
  const spans: InvisibleSpan[] = [];
  for (const { 0: found, index, 1: flag } of text.matchAll(TAGS)) {
    if (flag !== undefined && REGION.test(found)) continue;
    const start = index + (flag?.length ?? 0);
    const hidden = [...found.slice(flag?.length ?? 0)].map(tagLetter).join('');
    spans.push({ rule: 'invisible-tags', start, end: index + found.length, hidden });
  }
  for (const { 0: found, index } of text.matchAll(SELECTORS)) {
    const span = { rule: 'invisible-selectors', start: index, end: index + found.length } as const;
    spans.push({ ...span, hidden: Buffer.from([...found].map(selectorByte)).toString('utf8') });
  }
  for (const { 0: found, index } of text.matchAll(ZERO_WIDTH)) {
    spans.push({ rule: 'invisible-zero-width', start: index, end: index + found.length });
  }
  const bidi = [...text.matchAll(OVERRIDE), ...(RIGHT_TO_LEFT.test(text) ? [] : text.matchAll(EMBEDDED))];
  for (const { index } of bidi) spans.push({ rule: 'invisible-bidi', start: index, end: index + 1 });
  for (const { 0: found, index } of text.matchAll(ESCAPES)) {
    if (!COLOUR.test(found)) spans.push({ rule: 'terminal-escape', start: index, end: index + found.length });
  }
  return spans;
}

/** Tag characters are ASCII moved up by 0xE0000. */
function tagLetter(char: string): string {
  return String.fromCharCode((char.codePointAt(0) ?? 0) - 0xe0000);
}

/** A way to hide bytes: selectors 1 to 16 are 0 to 15, selectors 17 to 256 are 16 to 255. */
function selectorByte(char: string): number {
  const point = char.codePointAt(0) ?? 0;
  return point >= 0xe0100 ? point - 0xe0100 + 16 : point - 0xfe00;
}
