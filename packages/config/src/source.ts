// From a file's bytes to the tree: size, encoding, and which of the two syntaxes it is, told by content and not by name.

import { openReport, type Report, WHOLE_FILE } from './errors.ts';
import { readJson } from './json.ts';
import { isNothing, type Node } from './node.ts';
import { MAX_YAML_BYTES, readYaml } from './yaml.ts';

/** Client files carry more than servers (history, settings); the JSON reader is linear. */
export const MAX_FILE_BYTES = 1024 * 1024;

/** Adds a problem and returns undefined when the bytes are not text. */
export function decodeSource(bytes: Uint8Array, report: Report): string | undefined {
  if (bytes.length > MAX_FILE_BYTES) {
    report.problem(WHOLE_FILE, `expected at most ${kib(MAX_FILE_BYTES)} (got more)`, 'is this the right file?');
    return undefined;
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const { line, col } = firstBadByte(bytes);
    report.problem({ line, col, key: '' }, 'expected UTF-8 text (got bytes that are not)', 'save the file as UTF-8');
    return undefined;
  }
}

export function parseSource(text: string, file: string, report: Report): Node | undefined {
  const content = text.startsWith('\ufeff') ? text.slice(1) : text;
  if (content.length > MAX_FILE_BYTES) {
    report.problem(WHOLE_FILE, `expected at most ${kib(MAX_FILE_BYTES)} (got more)`, 'is this the right file?');
    return undefined;
  }
  const root = parseEither(content, file, report);
  if (root === undefined) return undefined;
  if (isNothing(root)) {
    report.problem(WHOLE_FILE, 'expected a configuration (got an empty file)', 'it needs at least backends:');
    return undefined;
  }
  return root;
}

function parseEither(text: string, file: string, report: Report): Node | undefined {
  if (!/^\s*(?:[{[]|\/[/*])/.test(text)) return parseYaml(text, report);
  // A YAML file may begin with a brace too: what is no JSON gets a second chance, unless its name says JSON.
  if (/\.jsonc?$/i.test(file)) return readJson(text, report);
  const trial = openReport(file);
  const asJson = readJson(text, trial);
  if (asJson !== undefined && !trial.failed()) return asJson;
  const second = openReport(file);
  const asYaml = text.length > MAX_YAML_BYTES ? undefined : readYaml(text, second);
  if (asYaml !== undefined && !second.failed()) return asYaml;
  return /\.ya?ml$/i.test(file) ? parseYaml(text, report) : readJson(text, report);
}

function parseYaml(text: string, report: Report): Node | undefined {
  if (text.length > MAX_YAML_BYTES) {
    report.problem(WHOLE_FILE, `expected at most ${kib(MAX_YAML_BYTES)} of YAML (got ${kib(text.length)})`);
    return undefined;
  }
  return readYaml(text, report);
}

function firstBadByte(bytes: Uint8Array): { line: number; col: number } {
  let line = 1;
  for (let start = 0; start <= bytes.length; line += 1) {
    const next = bytes.indexOf(0x0a, start);
    const end = next < 0 ? bytes.length : next;
    const part = bytes.subarray(start, end);
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(part);
    } catch {
      return { line, col: new TextDecoder('utf-8').decode(part).indexOf('\ufffd') + 1 };
    }
    start = end + 1;
  }
  return { line: 1, col: 1 };
}

function kib(bytes: number): string {
  return `${Math.ceil(bytes / 1024)} KiB`;
}
