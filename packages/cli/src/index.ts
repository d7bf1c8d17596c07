// The public names of @mcp-overlay/cli, one by one.
export { announce, printJson, printTable, say } from './announce.ts';
export { EXIT, type ExitCode } from './exit-codes.ts';
export { LOG_LEVELS, type Log, type LogLevel, type LogOptions, openLog, openLogFor } from './log.ts';
export { type Command, type CommonFlags, type Flags, main, type Program } from './main.ts';
export { CLI_ERROR_CODES, exitCodeOf, report, UsageError } from './report.ts';
export { type EndSignal, endSignal } from './signals.ts';
export { tellOverlay } from './tell-overlay.ts';
export { toolkitVersion } from './version.ts';
