// Detectors that count in a window: one call over and over, too many calls, too many refusals. A call counts to one of them:
// what goes round in a loop is no flood, and what is refused is neither.

import type { WindowConfig } from '@mcp-overlay/config';
import { type Finding, inWords } from './finding.ts';
import type { ObservedCall } from './observed.ts';
import { Recent } from './recent.ts';

type Detector<T> = (seen: T) => Finding | undefined;

/** The same tool with the same arguments. */
export function loopDetector({ calls, withinMs }: WindowConfig): Detector<ObservedCall & { readonly print: string }> {
  const recent = new Recent(withinMs);
  return ({ ident, backend = '', kind, target = '', print, mono, seq }) => {
    if (kind !== 'tool') return undefined;
    const { count, seqs } = recent.add(`${ident}\n${backend}\n${target}\n${print}`, mono, seq);
    if (count < calls) return undefined;
    const why = `the same call with the same arguments ${calls} times within ${inWords(withinMs)}`;
    return { rule: 'loop', ident, backend, target, count, seqs, why };
  };
}

export function rateDetector({ calls, withinMs }: WindowConfig): Detector<ObservedCall> {
  const recent = new Recent(withinMs);
  return ({ ident, mono, seq }) => {
    const { count, seqs } = recent.add(ident, mono, seq);
    if (count < calls) return undefined;
    return { rule: 'rate', ident, count, seqs, why: `${calls} calls within ${inWords(withinMs)}` };
  };
}

/** Nobody's guilt: the machine, a server or the log is in trouble, and says so elsewhere; or it is a loop already. */
const NOT_FOR_LACK_OF_RIGHTS: ReadonlySet<string> = new Set([
  'busy',
  'backend_unavailable',
  'audit_unavailable',
  'share_unreachable',
  'ending',
  'internal_error',
  'looping',
  'isError',
]);

export function refusalsDetector({
  calls,
  withinMs,
}: WindowConfig): Detector<ObservedCall & { readonly code: string }> {
  const recent = new Recent(withinMs);
  return ({ ident, code, mono, seq }) => {
    if (NOT_FOR_LACK_OF_RIGHTS.has(code)) return undefined;
    const { count, seqs } = recent.add(ident, mono, seq);
    if (count < calls) return undefined;
    return { rule: 'refusals', ident, count, seqs, why: `${calls} refusals within ${inWords(withinMs)}` };
  };
}
