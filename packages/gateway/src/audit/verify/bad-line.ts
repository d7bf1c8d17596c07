// A line that nobody with the key made: what was done to it, as far as the line itself tells.

import type { Inspected } from '../inspect.ts';
import type { FindingClass } from './finding.ts';

/** `otherKey`: the id it carries is not that of the key that records are under here. */
export function classOfBadLine(line: Buffer, seen: Inspected, otherKey: boolean): FindingClass {
  if (seen.is === 'garbage') return isDowngraded(line) ? 'downgraded' : 'modified';
  return otherKey ? 'wrong key' : 'modified';
}

/** A MAC stands at the end, whatever became of its letters. */
const MAC_LIKE = /.mac.:.[^,]{64}.\}$|,"[^"]{3}":"[^,]{64}"\}$/;

/** JSON that would do as a record, if records were not authenticated, or were of another version. */
function isDowngraded(line: Buffer): boolean {
  const text = line.toString('utf8');
  try {
    const { v, log, seq, type } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    if (typeof log !== 'string' || typeof seq !== 'number' || typeof type !== 'string') return false;
    return (typeof v === 'number' && v !== 1) || !MAC_LIKE.test(text);
  } catch {
    return false;
  }
}
