// A transport for the SDKs' clients that starts a program and looks at every byte it says before the SDK does: the SDK drops
// a second answer and an answer to nothing without a word.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { StringDecoder } from 'node:string_decoder';
import type { Command } from '../e2e/harness.ts';
import type { ClientLedger } from './client-ledger.ts';

const STDERR_BYTES = 64 * 1024;
/** `n_<client>_<number>_`: whose call it is can be read anywhere. */
const NONCE = /n_([a-z0-9]+)_\d+_/g;

interface AnyMessage {
  readonly id?: unknown;
  readonly method?: string;
}

interface Watch {
  readonly client: string;
  readonly ledger: ClientLedger;
  readonly secret: string;
}

export class WatchedStdio {
  onmessage?: (message: never) => void;
  onclose?: () => void;
  onerror?: (error: Error) => void;
  readonly #command: Command;
  readonly #watch: Watch;
  readonly #asked = new Set<unknown>();
  #child: ChildProcessWithoutNullStreams | undefined;
  #ended: Promise<unknown> = Promise.resolve();
  #rest = '';
  #paused = false;
  stderr = '';

  constructor(command: Command, watch: Watch) {
    this.#command = command;
    this.#watch = watch;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.#watch.client} is not started`);
    return pid;
  }

  async start(): Promise<void> {
    const { command, args, env } = this.#command;
    const child = spawn(command, [...args], { env: { ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    this.#ended = once(child, 'close');
    const text = new StringDecoder('utf8');
    child.stdout.on('data', (chunk: Buffer) => this.#take(text.write(chunk)));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      this.stderr = (this.stderr + chunk).slice(-STDERR_BYTES);
    });
    child.stdin.on('error', () => {});
    child.once('close', () => this.onclose?.());
    await once(child, 'spawn');
  }

  async send(message: unknown): Promise<void> {
    const { id, method } = message as AnyMessage;
    if (id !== undefined && method !== undefined) this.#asked.add(id);
    this.#child?.stdin.write(`${JSON.stringify(message)}\n`);
  }

  /** As an agent that does not read for a while. */
  pause(): void {
    this.#paused = true;
    this.#child?.stdout.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#child?.stdout.resume();
  }

  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#ended;
  }

  async close(): Promise<void> {
    if (this.#paused) this.resume();
    this.#child?.stdin.end();
    await this.#ended;
  }

  #take(text: string): void {
    const pieces = (this.#rest + text).split('\n');
    this.#rest = pieces.pop() ?? '';
    for (const line of pieces) if (line !== '') this.#look(line);
  }

  #look(line: string): void {
    const { client, ledger, secret } = this.#watch;
    if (line.includes(secret)) ledger.strange.push({ inv: 'I9', text: `${client} was sent the secret` });
    for (const [nonce, whose] of line.matchAll(NONCE)) {
      if (whose !== client) ledger.strange.push({ inv: 'I5', text: `${client} was sent ${nonce}` });
    }
    let message: AnyMessage;
    try {
      message = JSON.parse(line) as AnyMessage;
    } catch {
      ledger.strange.push({ inv: 'I1', text: `${client}: no JSON on stdout: ${line.slice(0, 200)}` });
      return;
    }
    if (message.method === undefined && message.id !== undefined && !this.#asked.delete(message.id)) {
      const text = `${client}: a second answer, or one to nothing: ${line.slice(0, 200)}`;
      ledger.strange.push({ inv: 'I1', text });
    }
    this.onmessage?.(message as never);
  }
}
