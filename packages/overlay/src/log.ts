// What drivers say to their program's log: events and fields, never tokens of accounts or contents.

export interface OverlayLog {
  debug(fields: object, event: string): void;
  info(fields: object, event: string): void;
  warn(fields: object, event: string): void;
}

export const SILENT: OverlayLog = { debug: () => {}, info: () => {}, warn: () => {} };
