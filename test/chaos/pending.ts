// What the oracle does not ask yet, because the layer that makes it true is not there: the one place. A word stands here
// until its layer is merged; taking it out makes the oracle stricter, nothing else has to change.

export type Layer =
  /** An open call of a server that outlives the death of whoever stands before it is answered, never unknown. */
  'once';

export const PENDING: ReadonlySet<Layer> = new Set<Layer>();
