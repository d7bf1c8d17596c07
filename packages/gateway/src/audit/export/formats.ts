// The formats that records leave in, by their names.

import { cef } from './cef.ts';
import type { Format } from './facts.ts';
import { ocsf } from './ocsf.ts';
import { syslog } from './syslog.ts';

export const FORMATS = {
  /** As they stand in the log: what `verify` reads. */
  jsonl: (({ line }) => line) as Format,
  cef,
  ocsf,
  syslog,
} as const satisfies Record<string, Format>;

export type FormatName = keyof typeof FORMATS;
