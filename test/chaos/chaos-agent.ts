// An agent of a chaos run: an SDK's client of one era over the built `mcp-tools run`. Each call carries a nonce and a payload
// and goes on record with what became of it. Its program can be killed; then it starts another.

import { createHash } from 'node:crypto';
import { Client as ClientV2 } from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { ResultSchema } from '@modelcontextprotocol/sdk/types.js';
import type { Command } from '../e2e/harness.ts';
import type { ClientLedger, Outcome, SentCall } from './client-ledger.ts';
import type { Dice } from './dice.ts';
import { WatchedStdio } from './watched-stdio.ts';

export type Era = 'legacy' | 'modern';

export interface Call {
  readonly server: string;
  readonly tool?: 'do' | 'forbidden';
  /** How long the server takes. */
  readonly ms?: number;
  /** Progress messages on the way. */
  readonly steps?: number;
}

interface Options {
  readonly timeout: number;
  readonly onprogress?: (progress: { progress: number }) => void;
}
type Request = (params: Record<string, unknown>, options: Options) => Promise<unknown>;

const INFO = { name: 'chaos', version: '1.0.0' };
/** Codes of ours that say: it did not run. */
const NOT_RUN: ReadonlySet<unknown> = new Set([
  'backend_unavailable',
  'busy',
  'ending',
  'limited',
  'refused',
  'share_unreachable',
]);

export interface AgentOptions {
  readonly name: string;
  readonly era: Era;
  readonly program: Command;
  readonly ledger: ClientLedger;
  readonly dice: Dice;
  /** Must not be among what it is sent. */
  readonly secret: string;
}

export class ChaosAgent implements AsyncDisposable {
  readonly name: string;
  readonly era: Era;
  readonly #who: Omit<AgentOptions, 'name' | 'era'>;
  readonly #deadlineMs: number;
  #stdio: WatchedStdio | undefined;
  #request: Request | undefined;
  #close: () => Promise<void> = async () => {};
  #count = 0;
  lives = 0;
  /** Its program runs and has shaken hands: who calls at another time calls nobody. */
  up = false;

  constructor({ name, era, ...who }: AgentOptions, deadlineMs: number) {
    this.name = name;
    this.era = era;
    this.#who = who;
    this.#deadlineMs = deadlineMs;
  }

  get stdio(): WatchedStdio {
    if (!this.#stdio) throw new Error(`${this.name} is not started`);
    return this.#stdio;
  }

  async start(): Promise<void> {
    this.lives += 1;
    const { program, ledger, secret } = this.#who;
    const stdio = new WatchedStdio(program, { client: this.name, ledger, secret });
    this.#stdio = stdio;
    const options = { timeout: this.#deadlineMs };
    if (this.era === 'legacy') {
      const client = new ClientV1(INFO, { capabilities: {} });
      await client.connect(stdio as never, options);
      this.#request = (params, how) => client.request({ method: 'tools/call', params }, ResultSchema, how);
      this.#close = () => client.close();
    } else {
      const client = new ClientV2(INFO, { capabilities: {}, versionNegotiation: { mode: 'auto' } });
      await client.connect(stdio as never, options);
      if (client.getNegotiatedProtocolVersion() !== '2026-07-28') throw new Error(`${this.name} is not modern`);
      this.#request = (params, how) => client.request({ method: 'tools/call', params }, anyResult, how);
      this.#close = () => client.close();
    }
    this.up = true;
  }

  async kill(): Promise<void> {
    this.up = false;
    await this.stdio.kill();
  }

  /** Resolves with what became of it; never rejects. */
  async call({ server, tool = 'do', ms = 0, steps = 0 }: Call): Promise<SentCall> {
    const { dice, ledger } = this.#who;
    const nonce = `n_${this.name}_${++this.#count}_${dice.text(8)}`;
    const payload = `${nonce}${dice.text(dice.chance(0.1) ? 8_000 : dice.int(0, 500))}`;
    const sha256 = createHash('sha256').update(payload).digest('hex');
    const entry = ledger.sent({ nonce, client: this.name, server, tool, sha256, quick: ms === 0 && steps === 0 });
    const params = { name: `${server}__${tool}`, arguments: { nonce, payload, ms, steps } };
    const onprogress = ({ progress }: { progress: number }): void => void entry.steps.push(progress);
    try {
      if (!this.#request) throw new Error('not started');
      const result = await this.#request(params, {
        timeout: this.#deadlineMs,
        ...(steps > 0 ? { onprogress } : {}),
      });
      ledger.ended(entry, ...outcomeOf(result));
    } catch (error) {
      ledger.ended(entry, failureOf(error), { told: told(error) });
    }
    return entry;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.up = false;
    await this.#close();
  }
}

/** A Standard Schema that lets everything through: the oracle checks. */
const anyResult = { '~standard': { version: 1 as const, vendor: 'chaos', validate: (value: unknown) => ({ value }) } };

function outcomeOf(result: unknown): [Outcome, Pick<SentCall, 'answered' | 'told'>] {
  const { content, isError } = result as { content?: readonly { text?: string }[]; isError?: boolean };
  try {
    const said = JSON.parse(content?.[0]?.text ?? '') as { nonce: unknown; payload: string };
    const sha256 = createHash('sha256').update(said.payload).digest('hex');
    if (isError !== true) return ['ok', { answered: { nonce: said.nonce, sha256 } }];
  } catch {
    // Below.
  }
  return ['error', { told: JSON.stringify(result).slice(0, 300) }];
}

/** What is left undefined has no terminal outcome. */
function failureOf(error: unknown): Outcome | undefined {
  const { code, data, message } = error as { code?: unknown; data?: Record<string, unknown>; message: string };
  // The SDKs' own: the connection closed, the request timed out.
  if (code === -32000 || code === 'CONNECTION_CLOSED' || /connection closed/i.test(message)) return 'lost';
  if (code === -32001 || code === 'REQUEST_TIMEOUT') return undefined;
  const name = data?.error;
  if (name === 'outcome_unknown') return 'unknown';
  if (name === 'call_timeout') return 'timeout';
  if (name === 'audit_unavailable' || name === 'ledger_unavailable') return data?.ran === true ? 'withheld' : 'refused';
  if (NOT_RUN.has(name)) return 'refused';
  if (name === undefined && code === -32602) return 'denied';
  return 'error';
}

function told(error: unknown): string {
  const { code, data, message } = error as { code?: unknown; data?: unknown; message: string };
  return `${String(code)} ${message} ${JSON.stringify(data ?? null)}`.slice(0, 400);
}
