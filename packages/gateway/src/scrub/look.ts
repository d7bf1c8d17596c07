// Looks through a whole message: its bytes at a glance first, its texts only where the glance was not sure. Runs on the
// thread that carries messages for small ones, in a worker for large ones (./pool.ts); same code, same findings.

import type { Message } from '@mcp-overlay/relay';
import { asObject } from '../call/json.ts';
import type { TextFindings } from './act.ts';
import { glance } from './glance.ts';
import { SCRUB_LIMITS } from './limits.ts';
import { mediaRules } from './media.ts';
import type { Surface } from './pattern.ts';
import type { Rulebook } from './rulebook.ts';
import { newContext, type ScanContext, type Scanner } from './scan.ts';
import { mapTexts } from './texts.ts';

export interface Looked {
  readonly texts: readonly TextFindings[];
  /** Something was left out: too long, too much work, too many findings. */
  readonly partly: boolean;
}

export const NOTHING: Looked = { texts: [], partly: false };

/** Whether bytes of JSON could hold anything that a rule finds. */
export function mayHold(bytes: Uint8Array, book: Rulebook): boolean {
  const { seen, unsure } = glance(bytes, { finder: book.bytes.finder, words: book.byteWords, quiet: book.quiet });
  if (unsure) return true;
  if (seen === undefined) return false;
  const found = new Map<number, { literals: boolean; also: boolean }>();
  for (let literal = 0; literal < seen.length; literal += 1) {
    if (seen[literal] === 0) continue;
    const uses = book.bytes.uses[literal] ?? [];
    // What stands for links and encodings belongs to no pattern.
    if (uses.length === 0 || book.always.has(literal)) return true;
    for (const { pattern, list } of uses) {
      const lists = found.get(pattern) ?? { literals: false, also: book.patterns[pattern]?.spec.also.length === 0 };
      lists[list] = true;
      found.set(pattern, lists);
    }
  }
  for (const { literals, also } of found.values()) if (literals && also) return true;
  return false;
}

/** Every text of a value that was parsed. */
export function lookThrough(value: unknown, surface: Surface, scanner: Scanner, work: number): Looked {
  const texts: TextFindings[] = [];
  const context = newContext(surface, work);
  let index = 0;
  let left: number = SCRUB_LIMITS.textChars;
  let findings = 0;
  const one = (text: string, on: Surface): string => {
    if (left <= 0 || findings >= SCRUB_LIMITS.findings) {
      context.partly = true;
    } else {
      const shown = text.length > left ? text.slice(0, left) : text;
      if (shown !== text) context.partly = true;
      left -= shown.length;
      const found = scanner.scan(shown, onSurface(context, on));
      findings += found.length;
      if (found.length > 0) texts.push({ index, surface: on, findings: found });
    }
    index += 1;
    return text;
  };
  mapTexts(value, surface, one, (media) => {
    const findings = mediaRules(media).map((rule) => ({ rule, start: 0, end: media.base64.length }));
    if (findings.length > 0) texts.push({ index: -1, surface, findings });
  });
  return { texts, partly: context.partly };
}

function onSurface(context: ScanContext, surface: Surface): ScanContext {
  context.surface = surface;
  return context;
}

/** What of a message concerns people and models: its result, error or parameters. */
export function bodyOf(
  message: Pick<Message, 'kind'>,
  value: unknown,
): { readonly body: unknown; readonly isError: boolean } {
  const object = asObject(value) ?? {};
  if (message.kind !== 'response') return { body: object.params, isError: false };
  return object.error === undefined ? { body: object.result, isError: false } : { body: object.error, isError: true };
}
