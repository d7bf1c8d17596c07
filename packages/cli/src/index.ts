// The public names of @mcp-overlay/cli, one by one.
export { announce, print, printJson, printTable, say } from './announce.ts';
export { askHidden, canAsk, readPiped } from './ask.ts';
export { displaySafe, displaySafeJson, displaySafeLines } from './display-safe.ts';
export { EXIT, type ExitCode } from './exit-codes.ts';
export { type CommonFlags, type Flags, LOG_LEVELS, type LogLevel } from './flags.ts';
export { type Log, type LogOptions, openLog, openLogFor } from './log.ts';
export { type Command, main, type Program } from './main.ts';
export { hideFromOutput, MIN_HIDDEN_BYTES, OutputFilter, withoutSecrets } from './output-filter.ts';
export { CLI_ERROR_CODES, exitCodeOf, report, UsageError } from './report.ts';
export { type EndSignal, endSignal } from './signals.ts';
export { tellOverlay } from './tell-overlay.ts';
export { toolkitVersion } from './version.ts';
export { holdYoungGeneration } from './young-generation.ts';
