// Ids for the connections and binds of one channel. We number from 1 to 2^31-2; a router numbers what it announces from 2^31-1
// upward (ziti router/xgress_edge/accept.go, idSeq), so the two can never meet.

/** The first id that a router gives. */
export const FIRST_ROUTER_ID = 2 ** 31 - 1;
const FIRST_OWN_ID = 1;
const LAST_OWN_ID = FIRST_ROUTER_ID - 1;

export class ConnIds {
  #last: number;

  constructor(last = FIRST_OWN_ID - 1) {
    this.#last = last;
  }

  /** The next free one. Fewer than 2^31-2 must be in use. Long-gone ids come last: a late message finds nobody. */
  next(used: (id: number) => boolean): number {
    do this.#last = this.#last >= LAST_OWN_ID ? FIRST_OWN_ID : this.#last + 1;
    while (used(this.#last));
    return this.#last;
  }
}
