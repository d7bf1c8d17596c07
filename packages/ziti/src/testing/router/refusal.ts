// How routers and controllers of 1.6.0 say no to Connect and Bind: the text that a client sees, and the number that routers
// from 2.0 on send beside it (ziti router/xgress_edge/error.go).

export class Refusal extends Error {
  readonly code: number;

  constructor(text: string, code = 1) {
    super(text);
    this.code = code;
  }
}

export const invalidSession = (): Refusal => new Refusal('invalid session', 3);
export const wrongSessionType = (): Refusal => new Refusal('incorrect session type', 4);
export const invalidRouter = (): Refusal => new Refusal('invalid edge router for session', 5);
export const invalidService = (): Refusal => new Refusal('invalid service', 6);
export const noPublicHeader = (side: 'initiator' | 'terminator'): Refusal =>
  new Refusal(`encryption required on service, ${side} did not send public header`, 11);
export const tokenExpired = (): Refusal => new Refusal('token has invalid claims: token is expired', 2);
export const noSuchIdentity = (id: string): Refusal => new Refusal(`identity with id ${id} not found`);
export const otherLogin = (expected: string, got: string): Refusal =>
  new Refusal(`invalid api session id, expected ${expected}, got ${got}`);
export const noTerminators = (service: string): Refusal => new Refusal(`service ${service} has no terminators`);
export const noTerminatorsFor = (service: string, instance: string): Refusal =>
  new Refusal(`service ${service} has no terminators for instanceId ${instance}`);
export const noOnlineTerminators = (service: string, instance: string): Refusal =>
  new Refusal(`service ${service} has no online terminators for instanceId ${instance}`);
export const foreignInstance = (terminator: string, instance: string): Refusal =>
  new Refusal(`sibling terminator ${terminator} with shared identity ${instance} belongs to different identity`, 13);
export const retriesUsedUp = (circuit: string, router: string, why: string): Refusal =>
  new Refusal(
    `exceeded maximum [2] retries creating circuit [c/${circuit}] ` +
      `(error creating route for [s/${circuit}] on [r/${router}] (error creating route for [c/${circuit}]: ${why}))`,
  );
