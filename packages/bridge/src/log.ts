// What a bridge tells of itself, for people.

export interface BridgeLog {
  debug(fields: object, event: string): void;
  info(fields: object, event: string): void;
  warn(fields: object, event: string): void;
}
