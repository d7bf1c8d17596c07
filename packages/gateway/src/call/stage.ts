// A stage knows its call and what comes next, no neighbour; what it changed going down it restores coming up.

import type { Reply } from './call.ts';

export type Next<C> = (call: C) => Promise<Reply>;
export type Stage<In, Out = In> = (next: Next<Out>) => Next<In>;
