// Flags that every command takes, as yargs hands them over.

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface CommonFlags {
  readonly overlay?: 'local' | 'zrok' | 'ziti' | undefined;
  readonly identity?: string;
  /** Files. */
  readonly trust?: readonly string[];
  readonly access?: string;
  readonly accessKey?: string;
  readonly logLevel: LogLevel;
  readonly logFormat?: 'json' | 'pretty';
}

export type Flags = CommonFlags & Readonly<Record<string, unknown>>;
