// What a running gateway cannot take over from a changed file: who it is, where it is reached, where it keeps its record. Said
// by name and refused whole, for a half of a change is a configuration that nobody wrote.

import { type GatewayConfig, openReport, WHOLE_FILE } from '@mcp-overlay/config';
import { grantsOf } from '@mcp-overlay/overlay';
import { same } from './changes.ts';

/** Members of a configuration that can be taken over, wholly or but for what is named below. */
const LIVE: ReadonlySet<string> = new Set([
  'format',
  'file',
  'digest',
  'share',
  'aggregator',
  'backends',
  'policy',
  'scrub',
  'pins',
  'allowances',
  'limits',
  'issuers',
  'tokens',
  'reload',
]);

/** Of those: what cannot. */
const FIXED: readonly (readonly [string, (config: GatewayConfig) => unknown])[] = [
  ['share.token', ({ share }) => share.token],
  ['share.overlay', ({ share }) => share.overlay],
  // Accounts are told to the network when the share is made.
  ['share.grants (e-mails)', ({ share }) => [...grantsOf(share.grants).accounts].sort()],
  ['tokens.key', ({ tokens }) => tokens.key],
  ['limits.message_bytes', ({ limits }) => limits.messageBytes],
  ['limits.sessions', ({ limits }) => limits.sessions],
];

const FIXED_NOW = 'cannot change while the gateway runs';
const IN_FILE: Readonly<Record<string, string>> = { logFile: 'log_file', vault: 'secrets.vault' };

/** A configuration, and which lock file it comes to. */
export interface Held {
  readonly config: GatewayConfig;
  readonly lockFile: string;
}

/** Throws a ConfigError that names each. */
export function refuseFixed(held: Held, wanted: Held, file: string): void {
  const [before, after] = [held.config, wanted.config];
  const report = openReport(file);
  const [a, b] = [before, after] as unknown as Record<string, unknown>[];
  const keys = new Set([...Object.keys(a ?? {}), ...Object.keys(b ?? {})]);
  const whole = [...keys]
    .filter((key) => !LIVE.has(key) && !same(a?.[key], b?.[key]))
    .map((key) => IN_FILE[key] ?? key);
  const parts = FIXED.filter(([, of]) => !same(of(before), of(after))).map(([key]) => key);
  const hint = 'restart it, or put back what was there';
  for (const key of [...parts, ...whole]) report.problem({ ...WHOLE_FILE, key }, FIXED_NOW, hint);
  if (held.lockFile !== wanted.lockFile) {
    report.problem(
      { ...WHOLE_FILE, key: 'pins.file' },
      FIXED_NOW,
      `restart it, or name the one in use: ${held.lockFile}`,
    );
  }
  report.end();
}
