// Looks through one text: invisible characters, then every pattern whose literals occur in its shadow, in the pieces around
// them; then what is encoded in it, once; then its links. Linear in the text: each step reads each character a bounded
// number of times, and nothing goes on when the work allowed is done. Work is counted, not timed.

import { MIXED_WORD, TELLING } from './builtin.ts';
import { encodedParts } from './decode.ts';
import { undisguised } from './disguise.ts';
import { invisibleIn, mayHideSomething } from './invisible.ts';
import { SCRUB_LIMITS } from './limits.ts';
import { type HostCheck, linksIn, mayHaveLinks } from './links.ts';
import type { Pattern, Surface } from './pattern.ts';
import type { Finder, Rulebook } from './rulebook.ts';
import { Folder, isAscii, PieceCutter, type Shadow } from './shadow.ts';

export interface Finding {
  readonly rule: string;
  readonly start: number;
  readonly end: number;
  /** How the part that holds it was encoded. */
  readonly via?: string;
}

export interface ScanContext {
  surface: Surface;
  /** How much work this message may make. */
  readonly work: number;
  /** Characters that may still be decoded of this message. */
  left: number;
  /** Set where something was left out. */
  partly: boolean;
  /** Work done, in characters looked at by anything: what the limit, and tests of linear time, count. */
  steps: number;
}

export function newContext(surface: Surface, work: number = SCRUB_LIMITS.work): ScanContext {
  return { surface, work, left: SCRUB_LIMITS.decodedChars, partly: false, steps: 0 };
}

export class Scanner {
  private readonly book: Rulebook;
  private readonly hosts: HostCheck | undefined;
  private readonly folder = new Folder();
  private readonly pieces = new PieceCutter();

  constructor(book: Rulebook, hosts: HostCheck | undefined) {
    this.book = book;
    this.hosts = hosts;
  }

  scan(text: string, context: ScanContext): Finding[] {
    const { windowChars, overlapChars } = SCRUB_LIMITS;
    if (text.length <= windowChars) return this.window(text, context, 0);
    const seen = new Set<string>();
    const findings: Finding[] = [];
    for (let from = 0; from < text.length; from += windowChars - overlapChars) {
      if (context.steps >= context.work) {
        context.partly = true;
        break;
      }
      for (const finding of this.window(text.slice(from, from + windowChars), context, from)) {
        const key = `${finding.rule} ${finding.start} ${finding.end}`;
        if (!seen.has(key)) findings.push(finding);
        seen.add(key);
      }
      if (from + windowChars >= text.length) break;
    }
    return findings;
  }

  private window(text: string, context: ScanContext, offset: number): Finding[] {
    const findings: Finding[] = [];
    const add = (rule: string, start: number, end: number, via?: string): void => {
      if (findings.length >= SCRUB_LIMITS.findings) context.partly = true;
      else findings.push({ rule, start: start + offset, end: end + offset, ...(via === undefined ? {} : { via }) });
    };
    if (mayHideSomething(text)) {
      for (const { rule, start, end, hidden } of invisibleIn(text)) {
        add(rule, start, end);
        if (hidden !== undefined && hidden.length > 0) {
          for (const inner of this.inner(hidden, context)) add(inner.rule, start, end, 'hidden');
        }
      }
    }
    this.patternsIn(text, context, add);
    for (const part of encodedParts(text, context.left)) {
      context.left -= part.text.length;
      if (part.how === 'spaced' && TELLING.test(part.text)) add('spaced-letters', part.start, part.end);
      for (const inner of this.inner(part.text, context)) add(inner.rule, part.start, part.end, part.how);
    }
    for (const other of undisguised(text)) {
      if (context.left < text.length) break;
      context.left -= text.length;
      for (const { rule, start, end } of this.inner(other.text, context)) {
        if (other.text.slice(start, end) !== text.slice(start, end)) add(rule, start, end, other.how);
      }
    }
    if (mayHaveLinks(text)) for (const { rule, start, end } of linksIn(text, this.hosts)) add(rule, start, end);
    context.steps += text.length;
    return findings;
  }

  /** What was encoded is looked through, but not decoded again. */
  private inner(text: string, context: ScanContext): Finding[] {
    const findings: Finding[] = [];
    this.patternsIn(text, context, (rule, start, end) => findings.push({ rule, start, end }));
    return findings;
  }

  private patternsIn(
    text: string,
    context: ScanContext,
    add: (rule: string, start: number, end: number) => void,
  ): void {
    const { ascii, wide } = this.book;
    if (isAscii(text)) {
      this.run(text, undefined, [ascii], () => true, context, add);
      return;
    }
    const shadow = this.folder.fold(text);
    context.steps += text.length;
    if (MIXED_WORD.test(text)) {
      for (const { 0: found, index } of text.matchAll(new RegExp(MIXED_WORD, 'giu')))
        add('mixed-script', index, index + found.length);
    }
    this.run(shadow.text, shadow, [ascii, wide], ({ spec }) => spec.view !== 'raw', context, add);
    this.run(text, undefined, [ascii, wide], ({ spec }) => spec.view === 'raw', context, add);
  }

  private run(
    text: string,
    shadow: Shadow | undefined,
    finders: readonly Finder[],
    wanted: (pattern: Pattern) => boolean,
    context: ScanContext,
    add: (rule: string, start: number, end: number) => void,
  ): void {
    const { patterns } = this.book;
    const places = new Map<number, number[]>();
    const also = new Map<number, number[]>();
    for (const { finder, uses } of finders) {
      finder.eachIn(text, (literal, end) => {
        const word = finder.literals[literal] ?? '';
        const beginsWord = isWord(text, end - word.length, end, word.length);
        for (const { pattern, list } of uses[literal] ?? []) {
          if (!beginsWord && patterns[pattern]?.spec.view !== 'raw') continue;
          const ends = list === 'also' ? also : places;
          const known = ends.get(pattern);
          if (known) known.push(end);
          else ends.set(pattern, [end]);
        }
      });
    }
    context.steps += text.length;
    for (const [index, ends] of places) {
      const pattern = patterns[index];
      if (!pattern || !wanted(pattern) || !isOn(pattern, context.surface)) continue;
      const near = pattern.spec.also.length > 0 ? closeTo(ends, also.get(index) ?? [], pattern.spec.reach) : ends;
      if (near.length === 0) continue;
      this.around(pattern, text, shadow, near, context, add);
    }
  }

  /** The pieces around a pattern's literals, those that meet made one. */
  private around(
    pattern: Pattern,
    text: string,
    shadow: Shadow | undefined,
    ends: readonly number[],
    context: ScanContext,
    add: (rule: string, start: number, end: number) => void,
  ): void {
    const { spec } = pattern;
    const sorted = ends.length > 1 ? ends.toSorted((a, b) => a - b) : ends;
    let covered = -1;
    // Looking for the next of many matches costs more the longer the piece is.
    const most = Math.max(MAX_PIECE, 2 * spec.reach);
    for (let first = 0; first < sorted.length; ) {
      if (context.steps >= context.work) {
        context.partly = true;
        return;
      }
      const begun = sorted[first] as number;
      let last = first;
      while (last + 1 < sorted.length) {
        const next = sorted[last + 1] as number;
        if (next - (sorted[last] as number) > 2 * spec.reach || next - begun > most) break;
        last += 1;
      }
      const from = Math.max(0, (sorted[first] as number) - spec.reach);
      const to = Math.min(text.length, (sorted[last] as number) + spec.reach);
      const piece = this.pieces.cut(text, from, to, spec.view);
      context.steps += to - from;
      const matched = pattern.eachMatch(piece.text, (start, end) => {
        const begin = from + piece.at(start);
        const until = from + piece.at(end - 1) + 1;
        if (begin < covered) return;
        covered = until;
        if (shadow) add(spec.id, shadow.start(begin), shadow.end(until - 1));
        else add(spec.id, begin, until);
      });
      if (matched) context.steps += SCRUB_LIMITS.matchWork * (to - from);
      first = last + 1;
    }
  }
}

/** Of text that a pattern is run on at once, where its reach does not need more. */
const MAX_PIECE = 2048;

function isOn({ spec }: Pattern, surface: Surface): boolean {
  return spec.surfaces === undefined || spec.surfaces.includes(surface);
}

/** Those of `ends` that have one of `others` within reach. */
function closeTo(ends: readonly number[], others: readonly number[], reach: number): readonly number[] {
  if (others.length === 0) return others;
  const sorted = others.toSorted((a, b) => a - b);
  let at = 0;
  return ends
    .toSorted((a, b) => a - b)
    .filter((end) => {
      while (at < sorted.length && (sorted[at] as number) < end - reach) at += 1;
      return at < sorted.length && (sorted[at] as number) <= end + reach;
    });
}

const BACKSLASH = 0x5c;

function isLetter(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a);
}

/** Short words are in many longer ones: `ai` in `said`. */
function isWord(text: string, start: number, end: number, length: number): boolean {
  if (!isLetter(text.charCodeAt(start))) return true;
  // `\nignore`: a line break written as two characters.
  if (start > 0 && isLetter(text.charCodeAt(start - 1)) && text.charCodeAt(start - 2) !== BACKSLASH) return false;
  return length > 3 || end >= text.length || !isLetter(text.charCodeAt(end));
}
