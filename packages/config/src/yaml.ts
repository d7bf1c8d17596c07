// The door to the `yaml` package: text in, our tree out, every refusal a problem with its place. YAML 1.2 core schema;
// one document; no tags, no merge keys; aliases are expanded, but few. Duplicate keys are found here and not by the
// package, whose own search is quadratic.

import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Node as YamlNode,
} from 'yaml';
import type { Report } from './errors.ts';
import { type At, isNothing, MAX_DEPTH, MAX_NODES, type MapEntry, type Node, quoteText } from './node.ts';

/** 256 KiB of the worst input (`{}{}{}`) take five seconds of CPU; an honest file has a few KiB. */
export const MAX_YAML_BYTES = 256 * 1024;
/** Uses of an alias, nested ones counted each time: what a bomb is made of. */
export const MAX_ALIASES = 100;
/** Nesting is bounded before the package sees it. It recurses, some 1.2 KB a level, and V8 does not throw but ends the
 * process when a regular expression is first compiled near the end of the stack (seen with 100,000 times `- `).
 * Each block level costs a column, each flow level a bracket; brackets in quotes are counted too. */
const MAX_INDENT = 128;
const MAX_BRACKETS = 256;
const MAX_SYNTAX_ERRORS = 5;

export function readYaml(text: string, report: Report): Node | undefined {
  if (tooDeep(text, report)) return undefined;
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    merge: false,
    uniqueKeys: false,
    prettyErrors: false,
    strict: true,
    logLevel: 'error',
    lineCounter: lines,
  });
  const place = (offset: number): At => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), col: Math.max(col, 1) };
  };
  const seen = new Set<number>();
  for (const { pos, message, code } of [...document.errors, ...document.warnings]) {
    const at = place(pos[0]);
    if (seen.has(at.line) || seen.size >= MAX_SYNTAX_ERRORS) continue;
    seen.add(at.line);
    report.problem({ ...at, key: '' }, `not valid YAML: ${sentence(code, message)}`, HINTS[code]);
  }
  if (report.failed()) return undefined;
  return convert(document, place, report);
}

const HINTS: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'indent with spaces',
  BLOCK_AS_IMPLICIT_KEY: 'quote a value that contains a colon and a space',
  BAD_SCALAR_START: 'quote the value',
  MULTIPLE_DOCS: 'one file holds one configuration, remove the line ---',
};

function sentence(code: string, message: string): string {
  if (code === 'RESOURCE_EXHAUSTION') return 'nested too deep';
  if (code === 'MULTIPLE_DOCS') return 'more than one document';
  const line = message.split('\n')[0] ?? '';
  return line.charAt(0).toLowerCase() + line.slice(1).replace(/[:.]$/, '');
}

function tooDeep(text: string, report: Report): boolean {
  let line = 0;
  let open = 0;
  for (const content of text.split(/\r\n?|\n/)) {
    line += 1;
    if (content.length > MAX_INDENT && !/[^\s\-?:]/.test(content.slice(0, MAX_INDENT))) {
      const at = { line, col: MAX_INDENT, key: '' };
      report.problem(at, `expected at most ${MAX_INDENT} columns of indentation`);
      return true;
    }
    for (let at = 0; at < content.length; at += 1) {
      const char = content[at];
      if (char === '[' || char === '{') open += 1;
      else if ((char === ']' || char === '}') && open > 0) open -= 1;
      if (open <= MAX_BRACKETS) continue;
      report.problem({ line, col: at + 1, key: '' }, `expected at most ${MAX_BRACKETS} open brackets`);
      return true;
    }
  }
  return false;
}

/** The package knows more (binary, sets, dates); a configuration has no use for them. */
const CORE_TAGS = new Set(
  ['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((name) => `tag:yaml.org,2002:${name}`),
);

class Stop extends Error {}

function convert(document: Document, place: (offset: number) => At, report: Report): Node | undefined {
  let nodes = 0;
  let aliases = 0;
  const stop = (at: At, expected: string): Stop => {
    report.problem({ ...at, key: '' }, expected);
    return new Stop();
  };

  const walk = (node: unknown, fallback: At, depth: number): Node => {
    const at = placeOf(node, fallback);
    nodes += 1;
    if (nodes > MAX_NODES) throw stop(at, `expected at most ${MAX_NODES} values in a file`);
    if (depth > MAX_DEPTH) throw stop(at, `expected at most ${MAX_DEPTH} levels of nesting`);
    if (isAlias(node)) {
      aliases += 1;
      if (aliases > MAX_ALIASES) throw stop(at, `expected at most ${MAX_ALIASES} uses of aliases`);
      const target = node.resolve(document);
      if (target === undefined) throw stop(at, `expected an anchor &${node.source} before the alias`);
      // What the alias stands for is blamed at the alias: the anchor is right where it was written.
      return { ...walk(target, at, depth + 1), at };
    }
    const { tag } = (node ?? {}) as { tag?: string };
    if (tag !== undefined && !CORE_TAGS.has(tag)) throw stop(at, `expected no tag (got ${quoteText(tag)})`);
    if (isMap(node)) return { kind: 'map', at, entries: entriesOf(node.items, at, depth) };
    if (isSeq(node)) return { kind: 'list', at, items: node.items.map((item) => walk(item, at, depth + 1)) };
    if (!isScalar(node)) return { kind: 'scalar', at, value: null, text: '' };
    return scalar(node.value, node.source, at);
  };

  const entriesOf = (pairs: readonly { key: unknown; value: unknown }[], parent: At, depth: number) => {
    const entries = new Map<string, MapEntry>();
    for (const { key, value } of pairs) {
      const at = placeOf(key, parent);
      const name = isScalar(key) ? scalar(key.value, key.source, at) : undefined;
      if (name?.kind !== 'scalar' || isNothing(name)) throw stop(at, 'expected a word as the key');
      const before = entries.get(name.text);
      if (before) {
        report.problem(
          { ...at, key: name.text },
          `key ${quoteText(name.text)} is given twice`,
          `first on line ${before.at.line}`,
        );
        continue;
      }
      entries.set(name.text, { at, value: walk(value, at, depth + 1) });
    }
    return entries;
  };

  const placeOf = (node: unknown, fallback: At): At => {
    const range = (node as YamlNode | null | undefined)?.range;
    return range ? place(range[0]) : fallback;
  };

  try {
    return walk(document.contents, { line: 1, col: 1 }, 0);
  } catch (error) {
    if (error instanceof Stop) return undefined;
    throw error;
  }
}

function scalar(value: unknown, source: string | undefined, at: At): Node {
  if (typeof value === 'string') return { kind: 'scalar', at, value, text: value };
  if (typeof value === 'number' || typeof value === 'boolean') {
    return { kind: 'scalar', at, value, text: source ?? String(value) };
  }
  if (typeof value === 'bigint') return { kind: 'scalar', at, value: Number(value), text: source ?? String(value) };
  return { kind: 'scalar', at, value: null, text: '' };
}
