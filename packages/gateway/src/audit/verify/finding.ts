// What can be found wrong in a log. The first finding is the one that says what was done; what follows it is counted.

export const FINDINGS = [
  'modified',
  'missing',
  'inserted',
  'reordered',
  'duplicated',
  'foreign log',
  'rolled back',
  'truncated vs anchor',
  'downgraded',
  'wrong key',
] as const;

export type FindingClass = (typeof FINDINGS)[number];

export interface Finding {
  readonly class: FindingClass;
  /** The record that should stand there. */
  readonly seq: number;
  /** Number of the file. */
  readonly seg: number;
  readonly offset: number;
}
