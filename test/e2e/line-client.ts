// An MCP client that is nothing but lines: every byte it sends is what the test wrote, every byte it gets is kept. For
// whatever an SDK would hide: exact ids, numbers beyond a double, answers nobody asked for, stray output.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import type { Command } from './harness.ts';

export type Json = Readonly<Record<string, unknown>>;

/** One line from the other end. */
export interface Line {
  readonly raw: string;
  /** undefined: it is no JSON object. */
  readonly value: Json | undefined;
}

export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: Json;
}

export type Reply = { readonly raw: string; readonly result?: Json; readonly error?: RpcError };

/** Longer than anything here takes on a loaded machine; a test that waits this long has failed. */
const DEADLINE_MS = 45_000;

export interface LineClientEnds {
  readonly input: Writable;
  readonly output: Readable;
  /** Resolves when the other end is gone; an exit code, where there is a process. */
  readonly ended: Promise<number | null>;
  readonly pid: number | undefined;
  stderr(): string;
  /** Ends it the hard way. */
  kill(signal: NodeJS.Signals): void;
}

export class LineClient implements AsyncDisposable {
  readonly lines: Line[] = [];
  readonly ends: LineClientEnds;
  /** Answers to requests of the server, by method. What is not here gets -32601. */
  readonly answers = new Map<string, (params: Json, id: unknown) => Json | Promise<Json>>();
  readonly asked: { method: string; params: Json; id: unknown }[] = [];
  #nextId = 0;
  #rest = '';
  readonly #watchers = new Set<() => void>();

  constructor(ends: LineClientEnds) {
    this.ends = ends;
    ends.output.setEncoding('utf8').on('data', (chunk: string) => this.#take(chunk));
    ends.output.on('error', () => {});
    ends.input.on('error', () => {});
    void ends.ended.then(() => this.#wake());
  }

  /** A program that speaks MCP on its stdio. */
  static spawn({ command, args, env }: Command): LineClient {
    const child = spawn(command, [...args], { env: { ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const ended = (once(child, 'close') as Promise<[number | null]>).then(([code]) => code);
    const kill = (signal: NodeJS.Signals): void => void child.kill(signal);
    return new LineClient({
      input: child.stdin,
      output: child.stdout,
      ended,
      pid: child.pid,
      stderr: () => stderr,
      kill,
    });
  }

  /** Bare newline-delimited JSON-RPC on a share's own socket. */
  static async connect(path: string): Promise<LineClient> {
    const socket = connectSocket(path);
    await once(socket, 'connect');
    const ended = new Promise<null>((resolve) => {
      socket.once('close', () => resolve(null));
    });
    return new LineClient({
      input: socket,
      output: socket,
      ended,
      pid: undefined,
      stderr: () => '',
      kill: () => void socket.destroy(),
    });
  }

  write(line: string): void {
    this.ends.input.write(`${line}\n`);
  }

  /** A request under the next id, counted from 0. A JSON-RPC error is a value; no answer is thrown. */
  async request(method: string, params: Json = {}): Promise<Reply> {
    const id = this.#nextId++;
    return this.ask(String(id), method, JSON.stringify(params));
  }

  /** A request whose id and params are written exactly so. The answer must carry the very same id text. */
  async ask(idText: string, method: string, paramsText = '{}', deadlineMs = DEADLINE_MS): Promise<Reply> {
    const from = this.lines.length;
    this.write(`{"jsonrpc":"2.0","id":${idText},"method":${JSON.stringify(method)},"params":${paramsText}}`);
    const id: unknown = JSON.parse(idText);
    const { raw, value } = await this.line(
      ({ value }) => value !== undefined && value.method === undefined && 'id' in value && value.id === id,
      `answer to ${method} (${idText})`,
      from,
      deadlineMs,
    );
    const { result, error } = value as { result?: Json; error?: RpcError };
    return { raw, ...(result === undefined ? {} : { result }), ...(error === undefined ? {} : { error }) };
  }

  /** A tool's result. */
  async call(name: string, args: Json = {}, meta?: Json): Promise<Reply> {
    return this.request('tools/call', { name, arguments: args, ...(meta === undefined ? {} : { _meta: meta }) });
  }

  /** What a tool of the scripted server told: the JSON in its first text. */
  async told(name: string, args: Json = {}, meta?: Json): Promise<Json> {
    const reply = await this.call(name, args, meta);
    return textOf(reply);
  }

  notify(method: string, params: Json = {}): void {
    this.write(JSON.stringify({ jsonrpc: '2.0', method, params }));
  }

  async initialize(capabilities: Json = {}, name = 'line-client'): Promise<Json> {
    const clientInfo = { name, version: '1.0.0' };
    const { result, error } = await this.request('initialize', {
      protocolVersion: '2025-11-25',
      capabilities,
      clientInfo,
    });
    if (!result) throw new Error(`initialize: ${JSON.stringify(error)}\n${this.ends.stderr()}`);
    this.notify('notifications/initialized');
    return result;
  }

  /** Names of all tools, all pages. */
  async toolNames(): Promise<string[]> {
    return (await this.all('tools/list', 'tools')).map((tool) => String(tool.name));
  }

  async all(method: string, member: string): Promise<Json[]> {
    const items: Json[] = [];
    let cursor: unknown;
    do {
      const { result, error } = await this.request(method, cursor === undefined ? {} : { cursor });
      if (!result) throw new Error(`${method}: ${JSON.stringify(error)}`);
      items.push(...(result[member] as Json[]));
      cursor = result.nextCursor;
    } while (cursor !== undefined);
    return items;
  }

  /** Params of the first notification that fits, past (after line `from`) or to come. */
  async heard(method: string, fits: (params: Json) => boolean = () => true, from = 0): Promise<Json> {
    const is = ({ value }: Line): boolean => value?.method === method && fits((value.params ?? {}) as Json);
    const { value } = await this.line(is, method, from);
    return ((value as Json).params ?? {}) as Json;
  }

  async line(fits: (line: Line) => boolean, what: string, from = 0, deadlineMs = DEADLINE_MS): Promise<Line> {
    let at = from;
    const look = (): Line | undefined => {
      for (; at < this.lines.length; at += 1) {
        const line = this.lines[at];
        if (line && fits(line)) return line;
      }
      return undefined;
    };
    const known = look();
    if (known) return known;
    const stop = new AbortController();
    try {
      return await Promise.race([
        new Promise<Line>((resolve) => {
          const watch = (): void => {
            const found = look();
            if (!found) return;
            this.#watchers.delete(watch);
            resolve(found);
          };
          this.#watchers.add(watch);
        }),
        this.#ended(stop.signal, look, what),
        wait(deadlineMs, undefined, { signal: stop.signal, ref: false }).then(() => {
          throw new Error(`no ${what} in ${deadlineMs} ms\n${this.#context()}`);
        }),
      ]);
    } finally {
      stop.abort();
    }
  }

  /** End of input, as an agent that quits. Resolves with the exit code of the program, null for a socket. */
  /** What the program said of itself on stderr. */
  async said(pattern: RegExp, deadlineMs = DEADLINE_MS): Promise<void> {
    const late = Date.now() + deadlineMs;
    while (!pattern.test(this.ends.stderr())) {
      if (Date.now() > late) throw new Error(`${pattern} was not said\n${this.ends.stderr()}`);
      await wait(10);
    }
  }

  async end(): Promise<number | null> {
    this.ends.input.end();
    return this.ends.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.ends.input.end();
    const gone = await Promise.race([this.ends.ended.then(() => true), wait(DEADLINE_MS, false, { ref: false })]);
    if (gone) return;
    this.ends.kill('SIGKILL');
    throw new Error(`the agent's program did not end after its input\n${this.#context()}`);
  }

  #take(chunk: string): void {
    const pieces = (this.#rest + chunk).split('\n');
    this.#rest = pieces.pop() ?? '';
    for (const raw of pieces) {
      const value = parse(raw);
      this.lines.push({ raw, value });
      if (value?.method !== undefined && 'id' in value) void this.#answer(value);
    }
    this.#wake();
  }

  async #answer({ method, params, id }: Json): Promise<void> {
    const given = (params ?? {}) as Json;
    this.asked.push({ method: String(method), params: given, id });
    const answer = this.answers.get(String(method));
    const body = answer
      ? { result: await answer(given, id) }
      : { error: { code: -32601, message: `Method not found: ${String(method)}` } };
    this.write(JSON.stringify({ jsonrpc: '2.0', id, ...body }));
  }

  #wake(): void {
    for (const watch of [...this.#watchers]) watch();
  }

  async #ended(signal: AbortSignal, look: () => Line | undefined, what: string): Promise<Line> {
    const code = await this.ends.ended;
    if (signal.aborted) return new Promise(() => {});
    const last = look();
    if (last) return last;
    throw new Error(`ended (${code}) before ${what}\n${this.#context()}`);
  }

  #context(): string {
    const last = this.lines.slice(-5).map(({ raw }) => raw.slice(0, 500));
    return [...last, this.ends.stderr().slice(-4000)].join('\n');
  }
}

/** The JSON in the first text of a tool's result. */
export function textOf({ result, error, raw }: Reply): Json {
  const [first] = (result?.content ?? []) as readonly { text?: string }[];
  if (first?.text === undefined) throw new Error(`no text: ${error ? JSON.stringify(error) : raw.slice(0, 500)}`);
  return JSON.parse(first.text) as Json;
}

function parse(raw: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(raw);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}
