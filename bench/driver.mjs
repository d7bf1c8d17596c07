// The measuring client: newline-delimited JSON-RPC over the stdio of a process, with as little of its own as possible.
// A long answer is not parsed: its id is read from its first bytes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { lineReader } from './lines.mjs';

const PARSED_BYTES = 64 * 1024;
const PROTOCOL = '2025-11-25';
const ENV_KEPT = ['PATH', 'HOME', 'NODE_EXTRA_CA_CERTS'];

/** Environment of everything that is started here: what a clean login has, and what is added. */
export function cleanEnv(more = {}) {
  const kept = ENV_KEPT.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  return { ...Object.fromEntries(kept), ...more };
}

export class Client {
  #child;
  #waiting = new Map();
  #lastId = 0;
  #stderr = '';
  #ended;

  constructor({ command, args, env }) {
    this.#child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stdin.on('error', () => {});
    this.#child.stderr.setEncoding('utf8').on('data', (text) => {
      this.#stderr = (this.#stderr + text).slice(-4096);
    });
    this.#child.stdout.on(
      'data',
      lineReader((line) => this.#receive(line)),
    );
    this.#ended = once(this.#child, 'close').then(() => {
      const error = new Error(`${args.join(' ')} ended with calls open\n${this.#stderr}`);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    });
  }

  get pid() {
    return this.#child.pid;
  }

  /** `done(answer)`: the parsed message, or the Buffer of a long one. For loops that must not wait for promises. */
  call(method, params, done, reject = raise) {
    this.#lastId += 1;
    this.#waiting.set(this.#lastId, { done, reject });
    this.#child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: this.#lastId, method, params })}\n`);
  }

  request(method, params = {}) {
    return new Promise((resolve, reject) => this.call(method, params, resolve, reject));
  }

  async handshake() {
    const answer = await this.request('initialize', {
      protocolVersion: PROTOCOL,
      capabilities: {},
      clientInfo: { name: 'bench', version: '1.0.0' },
    });
    if (answer.error) throw new Error(`initialize: ${JSON.stringify(answer.error)}`);
    this.#child.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
  }

  /** Handshake and first list; resolves with the tools. */
  async open() {
    await this.handshake();
    return (await this.request('tools/list')).result.tools;
  }

  async close() {
    this.#child.stdin.end();
    if ((await Promise.race([this.#ended, wait(12_000, 'late', { ref: false })])) !== 'late') return;
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  #receive(line) {
    const long = line.length > PARSED_BYTES;
    const message = long ? undefined : JSON.parse(line);
    const id = long ? idOfLong(line) : message.id;
    // Requests and notifications of the server are none of the measurement's business.
    if (!long && message.method !== undefined) return;
    const waiter = this.#waiting.get(id);
    this.#waiting.delete(id);
    waiter?.done(long ? line : message);
  }
}

/** The id stands first or last, depending on who wrote the message; never inside the content of the echo. */
function idOfLong(line) {
  const found =
    /"id":(\d+)/.exec(line.toString('latin1', 0, 200)) ?? /"id":(\d+)/.exec(line.toString('latin1', line.length - 200));
  return found ? Number(found[1]) : JSON.parse(line).id;
}

function raise(error) {
  throw error;
}
