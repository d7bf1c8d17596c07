// What a session may that began under other rules: what those let through and what the rules of now let through too. Neither
// alone is enough, so a change takes away at once and gives nothing to who came before it.

import type { Decision } from '../call/call.ts';
import type { Access } from './access.ts';

/** `own`: of the rules it began under; `now` is asked each time. The same object means the same rules. */
export function bothOf(own: () => Access, now: () => Access): Access {
  const other = (): Access | undefined => {
    const current = now();
    return current === own() ? undefined : current;
  };
  return {
    get personal() {
      return own().personal || (other()?.personal ?? false);
    },
    decide: (...asked) => {
      const first = own().decide(...asked);
      return first.allow ? together(first, other()?.decide(...asked)) : first;
    },
    shows: (...asked) => own().shows(...asked) && (other()?.shows(...asked) ?? true),
    reaches: (...asked) => own().reaches(...asked) && (other()?.reaches(...asked) ?? true),
    mayAsk: (...asked) => own().mayAsk(...asked) && (other()?.mayAsk(...asked) ?? true),
  };
}

/** The rules of now are what is in force, and what the record names; that one of the two would refuse is not forgotten. */
function together(first: Decision, second: Decision | undefined): Decision {
  if (!second) return first;
  return second.allow && first.shadow === true && second.shadow !== true ? first : second;
}

const GONE = 'the share it came over is not hosted any more';

/** Of who came over a share that is none now. */
export const NO_ACCESS: Access = {
  personal: true,
  decide: () => ({ allow: false, rule: 'none', why: GONE }),
  shows: () => false,
  reaches: () => false,
  mayAsk: () => false,
};
