// What the gateway's rooms need of a log; packages/cli has one. Events with fields, never values of a call.

export interface GatewayLog {
  debug(fields: object, event: string): void;
  info(fields: object, event: string): void;
  warn(fields: object, event: string): void;
}
