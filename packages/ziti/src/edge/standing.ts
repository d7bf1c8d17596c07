// What a listener binds with: the service, a bind session of the present login, and the name and keys that stay the same for as
// long as the service does.

import { randomUUID } from 'node:crypto';
import type { ApiSession, Controller, EdgeRouterInfo, Service, ServiceSession } from '../controller/types.ts';
import type { KeyPair, Sodium } from '../crypto/sodium.ts';
import { ZitiError } from '../errors.ts';
import type { Doubts } from './doubts.ts';

export interface ListenerName {
  readonly serviceId: string;
  /** Unguessable: routers before 1.6.6 let anybody who knows it take the terminator over. Never logged. */
  readonly listenerId: string;
  /** Undefined: the service is not encrypted. */
  readonly keys: KeyPair | undefined;
}

export interface Standing {
  readonly service: Service;
  readonly session: ServiceSession;
  readonly login: ApiSession;
  readonly name: ListenerName;
  readonly routers: readonly EdgeRouterInfo[];
}

/** Logins that come between a session and its use; one is rare. */
const ATTEMPTS = 5;

export interface StandingsEnv {
  readonly controller: Controller;
  readonly sodium: Sodium;
  readonly routers: { readonly doubts: Doubts };
}

export class Standings {
  readonly #service: string;
  readonly #controller: Controller;
  readonly #sodium: Sodium;
  readonly #doubts: Doubts;
  readonly #signal: AbortSignal;
  #held: Standing | undefined;
  #name: ListenerName | undefined;
  #flight: Promise<Standing> | undefined;

  constructor(service: string, env: StandingsEnv, signal: AbortSignal) {
    this.#service = service;
    this.#controller = env.controller;
    this.#sodium = env.sodium;
    this.#doubts = env.routers.doubts;
    this.#signal = signal;
  }

  /** The last one, if any; it may be out of date. */
  get held(): Standing | undefined {
    return this.#held;
  }

  /** Made when there is none or the login is another one; one at a time. */
  async get(): Promise<Standing> {
    const held = this.#held;
    if (held) {
      await this.#doubts.settle(held.login.id, () => this.refreshRouters());
      const login = await this.#controller.apiSession(this.#signal);
      if (this.#held?.session.apiSessionId === login.id) return { ...this.#held, login };
      this.drop(held.session);
    }
    this.#flight ??= this.#make().finally(() => {
      this.#flight = undefined;
    });
    return this.#flight;
  }

  /** The session was refused: the next `get` makes another one. */
  drop(session: ServiceSession): void {
    if (this.#held?.session === session) this.#held = undefined;
  }

  /** Asks which routers may be used now. */
  async refreshRouters(): Promise<void> {
    const held = this.#held;
    if (!held) return;
    try {
      const routers = await this.#controller.refreshRouters(held.session, this.#signal);
      if (this.#held === held) this.#held = { ...held, routers };
    } catch (error) {
      // Without an answer the old list stands.
      if ((error as ZitiError).code === 'session_lost') this.drop(held.session);
    }
  }

  async #make(): Promise<Standing> {
    const service = await this.#controller.service(this.#service, { refresh: true, signal: this.#signal });
    if (!service.permissions.includes('Bind')) {
      throw new ZitiError('service_not_permitted', `this identity may not host service ${service.name}`, {
        hint: "ask the network's administrator for a Bind policy",
      });
    }
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const session = await this.#controller.bindSession(service, this.#signal);
      const login = await this.#controller.apiSession(this.#signal);
      // Somebody logged in again between the two.
      if (session.apiSessionId !== login.id) continue;
      this.#held = { service, session, login, name: this.#nameFor(service), routers: session.routers };
      return this.#held;
    }
    throw new ZitiError('session_lost', `each session to host service ${service.name} was lost as soon as it was made`);
  }

  #nameFor(service: Service): ListenerName {
    const same = this.#name?.serviceId === service.id && (this.#name.keys !== undefined) === service.encryptionRequired;
    if (!this.#name || !same) {
      const keys = service.encryptionRequired ? this.#sodium.keyPair() : undefined;
      this.#name = { serviceId: service.id, listenerId: randomUUID(), keys };
    }
    return this.#name;
  }
}
