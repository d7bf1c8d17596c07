// What the client says to its owner's log: events and fields, never tokens, keys or contents.

export interface ZitiLog {
  debug(fields: object, event: string): void;
  info(fields: object, event: string): void;
  warn(fields: object, event: string): void;
}

export const SILENT: ZitiLog = { debug: () => {}, info: () => {}, warn: () => {} };
