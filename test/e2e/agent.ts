// The official SDK's clients, v1 and v2, behind one face: any request by method and params, every notification and every
// request of the server kept. What comes back is what the SDK gives its user, so two ways to a server can be compared.

import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport as TransportV1 } from '@modelcontextprotocol/sdk/shared/transport.js';
import { ResultSchema } from '@modelcontextprotocol/sdk/types.js';
import type { Command } from './harness.ts';

export type Json = Readonly<Record<string, unknown>>;
export type Via = Command | { readonly url: string };
export type SdkVersion = 'v1' | 'v2';

export type Reply = { readonly result: Json } | { readonly error: Json };

export interface RequestOptions {
  readonly onprogress?: (progress: Json) => void;
  readonly signal?: AbortSignal;
}

export interface Agent extends AsyncDisposable {
  readonly capabilities: Json;
  readonly instructions: string | undefined;
  /** A JSON-RPC error is a value here; a lost connection is thrown. */
  request(method: string, params?: Json, options?: RequestOptions): Promise<Reply>;
  notify(method: string, params?: Json): Promise<void>;
  /** The SDK's own calls, which check results against output schemas. */
  listTools(): Promise<Json>;
  callTool(name: string, args: Json): Promise<Json>;
  /** What the server asked, in order. */
  readonly asked: readonly { readonly method: string; readonly params: unknown }[];
  /** Params of the first notification that fits, past or to come. */
  heard(method: string, fits?: (params: Json) => boolean): Promise<Json>;
}

/** What these clients can do, and hence what a server may ask of them. */
const CAPABILITIES = { sampling: {}, elicitation: { form: {}, url: {} }, roots: { listChanged: true } };
const INFO = { name: 'sdk-agent', version: '1.0.0' };
const TIMEOUT_MS = 30_000;

export async function connect(version: SdkVersion, via: Via, root: string): Promise<Agent> {
  const told = notifications();
  const asked: { method: string; params: unknown }[] = [];
  const answer = async (request: { method: string; params?: unknown }): Promise<Record<string, unknown>> => {
    asked.push({ method: request.method, params: request.params });
    return answerTo(request.method, root);
  };
  const hear = async (said: { method: string; params?: unknown }): Promise<void> =>
    told.add(said.method, (said.params ?? {}) as Json);
  const shared = { asked, heard: told.wait };
  return version === 'v1' ? await connectV1(via, answer, hear, shared) : await connectV2(via, answer, hear, shared);
}

type Answer = (request: { method: string; params?: unknown }) => Promise<Record<string, unknown>>;
type Hear = (said: { method: string; params?: unknown }) => Promise<void>;
type Shared = Pick<Agent, 'asked' | 'heard'>;

async function connectV1(via: Via, answer: Answer, hear: Hear, shared: Shared): Promise<Agent> {
  const client = new ClientV1(INFO, { capabilities: CAPABILITIES });
  client.fallbackRequestHandler = answer;
  client.fallbackNotificationHandler = hear;
  const transport = 'url' in via ? new HttpV1(new URL(via.url)) : new StdioV1(stdio(via));
  // The SDK's transports are not written for exactOptionalPropertyTypes.
  await client.connect(transport as TransportV1);
  return {
    ...shared,
    capabilities: client.getServerCapabilities() ?? {},
    instructions: client.getInstructions(),
    request: (method, params = {}, options = {}) =>
      settled(client.request({ method, params }, ResultSchema, { timeout: TIMEOUT_MS, ...options })),
    notify: (method, params = {}) => client.notification({ method, params }),
    listTools: () => client.listTools(),
    callTool: (name, args) => client.callTool({ name, arguments: { ...args } }),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

async function connectV2(via: Via, answer: Answer, hear: Hear, shared: Shared): Promise<Agent> {
  const client = new ClientV2(INFO, { capabilities: CAPABILITIES });
  client.fallbackRequestHandler = answer;
  client.fallbackNotificationHandler = hear;
  await client.connect('url' in via ? new HttpV2(new URL(via.url)) : new StdioV2(stdio(via)));
  return {
    ...shared,
    capabilities: client.getServerCapabilities() ?? {},
    instructions: client.getInstructions(),
    request: (method, params = {}, options = {}) =>
      settled(client.request({ method, params }, anyResult, { timeout: TIMEOUT_MS, ...options })),
    notify: (method, params = {}) => client.notification({ method, params }),
    listTools: () => client.listTools(),
    callTool: (name, args) => client.callTool({ name, arguments: { ...args } }),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

/** A Standard Schema that lets everything through: what arrives is compared, not checked. */
const anyResult = {
  '~standard': { version: 1 as const, vendor: 'test', validate: (value: unknown) => ({ value: value as Json }) },
};

function stdio({ command, args, env }: Command): { command: string; args: string[]; env: Record<string, string> } & {
  stderr: 'ignore';
} {
  return { command, args: [...args], env: { ...env }, stderr: 'ignore' };
}

async function settled(answer: Promise<unknown>): Promise<Reply> {
  try {
    return { result: (await answer) as Json };
  } catch (error) {
    const { code, message, data } = error as { code?: unknown; message: string; data?: unknown };
    if (typeof code !== 'number' || code === -32000 || code === -32001) throw error;
    return { error: { code, message, data } };
  }
}

function answerTo(method: string, root: string): Record<string, unknown> {
  if (method === 'roots/list') return { roots: [{ uri: `file://${root}`, name: 'the only root' }] };
  if (method === 'elicitation/create') return { action: 'accept', content: { name: 'Ada' } };
  if (method === 'sampling/createMessage') {
    const content = { type: 'text', text: 'Words of a model.' };
    return { role: 'assistant', content, model: 'none', stopReason: 'endTurn' };
  }
  throw new Error(`asked for ${method}`);
}

function notifications(): { add(method: string, params: Json): void; wait: Agent['heard'] } {
  const past: { method: string; params: Json }[] = [];
  const waiting = new Set<(method: string, params: Json) => void>();
  return {
    add: (method, params) => {
      past.push({ method, params });
      for (const look of [...waiting]) look(method, params);
    },
    wait: (wanted, fits = () => true) => {
      const known = past.find(({ method, params }) => method === wanted && fits(params));
      if (known) return Promise.resolve(known.params);
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no ${wanted} in ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
        const look = (method: string, params: Json): void => {
          if (method !== wanted || !fits(params)) return;
          clearTimeout(timer);
          waiting.delete(look);
          resolve(params);
        };
        waiting.add(look);
      });
    },
  };
}
