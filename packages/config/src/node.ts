// The tree between a file's text and its meaning: the same for YAML and JSON, each value with its place. Keys of a mapping
// are unique, depth and size are capped by whoever builds it.

export interface At {
  readonly line: number;
  readonly col: number;
}

export interface ScalarNode {
  readonly kind: 'scalar';
  readonly at: At;
  readonly value: string | number | boolean | null;
  /** As written, for values that mean text but look like a number (`version: 1.10`, a share token `12e4`). */
  readonly text: string;
}

export interface ListNode {
  readonly kind: 'list';
  readonly at: At;
  readonly items: readonly Node[];
}

export interface MapNode {
  readonly kind: 'map';
  readonly at: At;
  readonly entries: ReadonlyMap<string, MapEntry>;
}

export interface MapEntry {
  readonly at: At;
  readonly value: Node;
}

export type Node = ScalarNode | ListNode | MapNode;

/** Deeper than any configuration, far from the end of the stack. */
export const MAX_DEPTH = 64;
/** Values of one file, aliases expanded. */
export const MAX_NODES = 50_000;

const MAX_SHOWN_CHARS = 40;

/** What stands there, for an error. `secret`: only what sort of thing it is. */
export function describeNode(node: Node, secret = false): string {
  if (node.kind === 'list') return 'a list';
  if (node.kind === 'map') return 'a mapping';
  if (node.value === null) return 'nothing';
  if (typeof node.value !== 'string') return secret ? `a ${typeof node.value}` : showText(node.text);
  return secret ? 'some text' : quoteText(node.value);
}

export function isNothing(node: Node): boolean {
  return node.kind === 'scalar' && node.value === null;
}

/** Quoted, on one line, without control characters, cut. */
export function quoteText(text: string): string {
  return JSON.stringify(cut(text)).replace(UNPRINTABLE, escapeChar);
}

function showText(text: string): string {
  return cut(text).replace(UNPRINTABLE, escapeChar);
}

/** Controls, format characters (bidirectional overrides among them), lone surrogates, line separators. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

export function escapeChar(char: string): string {
  return `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`;
}

function cut(text: string): string {
  if (text.length <= MAX_SHOWN_CHARS) return text;
  return `${[...text.slice(0, MAX_SHOWN_CHARS)].slice(0, -1).join('')}…`;
}
