// What somebody who approves a definition should look at twice. It points, it judges nothing: a definition without findings is
// not thereby harmless.

import { displaySafe } from '@mcp-overlay/cli';
import { asArray, asObject, asString, type JsonObject } from '../call/json.ts';
import { inOrder, turningIn } from './in-order.ts';

export interface Finding {
  readonly kind:
    | 'invisible'
    | 'reading direction'
    | 'homoglyph'
    | 'trigger words'
    | 'cross reference'
    | 'new required parameter'
    | 'annotation';
  /** Safe to show. */
  readonly text: string;
}

/** Of other backends: what a definition should have no reason to speak of. */
export interface Surroundings {
  readonly backends: readonly string[];
  readonly tools: readonly string[];
}

const MAX_FINDINGS = 50;
const SHOWN_CHARS = 60;
/** Shorter names are words of any text. */
const MIN_NAME_CHARS = 4;

/** Words that speak to a model, not of a tool. After scan code W001 of invariantlabs-ai/mcp-scan, and seen attacks. */
const TRIGGERS: readonly RegExp[] = [
  /<\/?(?:important|system|secret|instructions?|admin)>/i,
  /\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:previous|prior|above|earlier|other|all)\b/i,
  /\bdo not (?:tell|mention|inform|show|reveal|notify|ask)\b/i,
  /\b(?:without|never) (?:telling|mentioning|informing|asking|notifying)\b/i,
  /\b(?:before|after|instead of) (?:using|calling|running|invoking) (?:this|any|other|the)\b/i,
  /\b(?:must|always|first) (?:also )?(?:call|use|read|send|include|pass|forward)\b/i,
  /\b(?:system prompt|conversation history|chat history|previous messages)\b/i,
  /\b(?:id_rsa|\.ssh\b|\.env\b|\.aws\b|mcp\.json|credentials?|passwords?|api[ _-]?keys?|private keys?|access tokens?)/i,
  /\b(?:crucial|critical|extremely important|mandatory)\b/i,
  /\b(?:base64|exfiltrate|curl|wget)\b/i,
];

/** Parameters that ask for what the tool does not need. */
const ASKING =
  /^(?:context|notes?|side_?note|reason(?:ing)?|feedback|summary|conversation|history|thoughts?|memory|comment|metadata|extra)$/i;

/** Cyrillic, Greek and other letters that look like an ASCII letter (UTS #39, the common ones). */
const LOOKS_LIKE: Readonly<Record<string, string>> = {
  a: 'аɑα', b: 'Ьƅ', c: 'сϲ', d: 'ԁ', e: 'еҽ', g: 'ɡց', h: 'һհ', i: 'іıι', j: 'јϳ', k: 'κк', l: 'ӏⅼ', m: 'м', n: 'ոп', o: 'оοօ',
  p: 'рρ', q: 'ԛ', r: 'г', s: 'ѕ', t: 'т', u: 'υս', v: 'νѵ', w: 'ԝѡ', x: 'хχ', y: 'уү', z: 'ᴢ',
  A: 'АΑ', B: 'ВΒ', C: 'СϹ', E: 'ЕΕ', H: 'НΗ', I: 'ІΙ', J: 'Ј', K: 'КΚ', M: 'МΜ', N: 'Ν', O: 'ОΟ', P: 'РΡ', S: 'Ѕ', T: 'ТΤ', X: 'ХΧ', Y: 'УΥ', Z: 'Ζ',
}; // biome-ignore format: a table
const LETTERS = new Map(
  Object.entries(LOOKS_LIKE).flatMap(([letter, all]) => [...all].map((one) => [one, letter] as const)),
);
const WORD = /[\p{L}\p{M}\p{N}_]+/gu;

export function findingsIn(item: JsonObject, before: JsonObject | undefined, around: Surroundings): Finding[] {
  const texts = textsIn(item);
  const known = new Set(before ? textsIn(before) : []);
  const all = [
    ...texts.flatMap((text) =>
      known.has(text)
        ? []
        : [
            ...invisible(text),
            ...turning(text),
            ...homoglyphs(text),
            ...triggers(text),
            ...crossReferences(text, around),
          ],
    ),
    ...required(item, before),
    ...annotations(item, before),
  ];
  const once = new Map(all.map((finding) => [`${finding.kind} ${finding.text}`, finding]));
  return [...once.values()].slice(0, MAX_FINDINGS);
}

/** Every string in it, names of members too. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap(textsIn);
  const object = asObject(value);
  return object ? Object.entries(object).flatMap(([key, one]) => [key, ...textsIn(one)]) : [];
}

function invisible(text: string): Finding[] {
  const found = new Set(
    [...displaySafe(text.replace(/[\n\t<]/g, ' ')).matchAll(/<U\+[0-9A-F]+>/g)].map(([mark]) => mark),
  );
  if (found.size === 0) return [];
  return [
    {
      kind: 'invisible',
      text: `characters that do not show or steer what shows them: ${[...found].slice(0, 8).join(' ')}`,
    },
  ];
}

function turning(text: string): Finding[] {
  const found = turningIn(text);
  if (found.length === 0) return [];
  return [{ kind: 'reading direction', text: `right-to-left letters among others: ${found.slice(0, 8).join(' ')}` }];
}

function homoglyphs(text: string): Finding[] {
  return (text.match(WORD) ?? []).flatMap((word): Finding[] => {
    const foreign = [...word].filter((char) => LETTERS.has(char));
    const plain = /[A-Za-z]/.test(word);
    if (foreign.length === 0 || !plain) return [];
    const meant = [...word].map((char) => LETTERS.get(char) ?? char).join('');
    const codes = foreign.map((char) => `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`);
    return [{ kind: 'homoglyph', text: `${shown(word)} is not ${shown(meant)}: ${[...new Set(codes)].join(' ')}` }];
  });
}

function triggers(text: string): Finding[] {
  return TRIGGERS.flatMap((pattern): Finding[] => {
    const found = pattern.exec(text);
    return found ? [{ kind: 'trigger words', text: shown(found[0]) }] : [];
  });
}

function crossReferences(text: string, { backends, tools }: Surroundings): Finding[] {
  const words = new Set(text.match(/[A-Za-z0-9_.-]+/g)?.flatMap((word) => [word, word.replace(/[.-]+$/, '')]) ?? []);
  const of = (names: readonly string[], what: string): Finding[] =>
    names
      .filter((name) => name.length >= MIN_NAME_CHARS && /[_-]|[a-z][A-Z]/.test(name) && words.has(name))
      .map((name) => ({ kind: 'cross reference', text: `it speaks of ${what} ${shown(name)}` }));
  const prefixed = [...words].filter((word) => backends.some((id) => word.startsWith(`${id}__`)));
  return [
    ...of(tools, 'a tool of another backend,'),
    ...of(backends, 'another backend,'),
    ...prefixed.map(
      (word): Finding => ({ kind: 'cross reference', text: `it speaks of another backend's ${shown(word)}` }),
    ),
  ];
}

function required(item: JsonObject, before: JsonObject | undefined): Finding[] {
  const was = new Set(before ? namesOf(before) : []);
  return namesOf(item)
    .filter((name) => (before === undefined ? ASKING.test(name) : !was.has(name)))
    .map((name) => ({
      kind: 'new required parameter',
      text: ASKING.test(name) ? `${shown(name)}, which may ask for what the tool does not need` : shown(name),
    }));
}

function namesOf({ inputSchema, arguments: prompt }: JsonObject): string[] {
  const schema = (asArray(asObject(inputSchema)?.required) ?? []).flatMap((name) => asString(name) ?? []);
  const args = (asArray(prompt) ?? []).flatMap((one) => {
    const { name, required: needed } = asObject(one) ?? {};
    return needed === true ? (asString(name) ?? []) : [];
  });
  return [...schema, ...args];
}

function annotations(item: JsonObject, before: JsonObject | undefined): Finding[] {
  if (!before) return [];
  const [was, now] = [asObject(before.annotations) ?? {}, asObject(item.annotations) ?? {}];
  const names = ['readOnlyHint', 'destructiveHint', 'idempotentHint', 'openWorldHint'];
  return names
    .filter((name) => was[name] !== now[name])
    .map((name) => ({
      kind: 'annotation',
      text: `${name} was ${String(was[name] ?? 'not said')}, is ${String(now[name] ?? 'not said')}`,
    }));
}

function shown(text: string): string {
  return `"${inOrder(text.slice(0, SHOWN_CHARS))}${text.length > SHOWN_CHARS ? '…' : ''}"`;
}
