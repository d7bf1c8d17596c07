// What a reload comes to, for whoever asked for it and for `status`.

import type { Change } from './changes.ts';

export type ReloadOutcome = Applied | Unchanged | Rejected;

export interface Applied {
  /** `planned`: that is what would be done. */
  readonly outcome: 'applied' | 'planned';
  readonly generation: number;
  readonly digest: string;
  readonly changes: readonly Change[];
  /** What clients will notice. */
  readonly warnings: readonly string[];
  /** Sessions that ended, or begin anew, because of what was taken away. */
  readonly ended: number;
  /** Sessions that go on as they began, at the longest until. */
  readonly draining: number;
  readonly drainUntil?: string;
  readonly buildMs: number;
  /** Nothing else went on for so long. */
  readonly swapMs: number;
}

export interface Unchanged {
  readonly outcome: 'unchanged';
  readonly generation: number;
  readonly digest: string;
}

export interface Rejected {
  readonly outcome: 'rejected';
  readonly code?: string;
  readonly message: string;
  readonly hint?: string;
  /** What stays in force. */
  readonly generation: number;
  readonly digest: string;
}

export interface ConfigStatus {
  /** Absolute. */
  readonly file: string;
  readonly digest: string;
  readonly generation: number;
  /** When it came into force. */
  readonly since: string;
  /** A change is taken over by itself. */
  readonly watched: boolean;
  /** By backend: what goes before its names. */
  readonly prefixes: Readonly<Record<string, string>>;
  /** Sessions that began under another one. */
  readonly draining: number;
  /** The last attempt to take over another one, where it failed. */
  readonly failed?: { readonly at: string; readonly why: string; readonly remedy: string };
}
