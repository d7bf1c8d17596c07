// What all handlers of the fake share: its books, the network behind it, and what they do in the same way.

import { randomInt } from 'node:crypto';
import type { AccessRow, Account, Books, EnvironmentRow, ShareRow } from './books.ts';
import type { ZitiAdmin } from './ziti-admin.ts';

const LOWER = 'abcdefghijklmnopqrstuvwxyz0123456789';
/** Of share and access tokens that the controller makes (openziti/zrok util). */
const TOKEN_CHARS = 12;

export class World {
  readonly ziti: ZitiAdmin;
  readonly limits: { environments: number };
  readonly books: Books = {
    accounts: [],
    environments: new Map(),
    shares: new Map(),
    accesses: new Map(),
    services: new Set(),
  };
  #lastId = 0;

  constructor(ziti: ZitiAdmin, limits: { environments: number }) {
    this.ziti = ziti;
    this.limits = limits;
  }

  addAccount(email: string): Account {
    const account = { email, token: this.randomToken(true) };
    this.books.accounts.push(account);
    return account;
  }

  accountOf(email: string): Account | undefined {
    return this.books.accounts.find((account) => account.email === email);
  }

  environmentOf(account: Account, zId: unknown): EnvironmentRow | undefined {
    const env = this.books.environments.get(String(zId));
    return env?.account === account ? env : undefined;
  }

  /** Policies first, then the service; access rows stay. */
  async removeShare(row: ShareRow): Promise<void> {
    for (const policy of row.policies) await this.ziti.deletePolicy(policy);
    await this.ziti.deleteService(row.zId);
    this.books.services.delete(row.token);
    this.books.shares.delete(row.token);
  }

  /** Those of a removed share can still be removed, but are not shown. */
  listedAccesses(): AccessRow[] {
    return [...this.books.accesses.values()].filter((row) => this.books.shares.get(row.share.token) === row.share);
  }

  randomToken(capitals = false): string {
    const alphabet = capitals ? LOWER + LOWER.slice(0, 26).toUpperCase() : LOWER;
    return Array.from({ length: TOKEN_CHARS }, () => alphabet[randomInt(alphabet.length)]).join('');
  }

  nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }
}
