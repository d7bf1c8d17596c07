// The official SDK's clients, v1 and v2, over both HTTP transports, through one and the same small exercise. Progress is
// read below the SDK's protocol layer: that one drops what comes in the same chunk as the answer.

import assert from 'node:assert/strict';
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as HttpV2,
  SSEClientTransport as SseV2,
} from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport as SseV1 } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport as TransportV1 } from '@modelcontextprotocol/sdk/shared/transport.js';

export const SDKS = ['v1', 'v2'] as const;
export type Sdk = (typeof SDKS)[number];
export type Kind = 'streamable' | 'sse';
/** How tools of server-everything are called here. */
export const LONG = 'trigger-long-running-operation';
export const LONG_ARGS = { duration: 0.3, steps: 3 };
export const LONG_DONE = 'Long running operation completed. Duration: 0.3 seconds, Steps: 3.';
/** Tools of server-everything for a client without capabilities; for one that has roots, as the Inspector, one more. */
export const TOOLS = 13;

const INFO = { name: 'peers', version: '1.0.0' };
const deadlineMs = 30_000;

export interface Options {
  readonly fetch?: typeof fetch;
  readonly headers?: Readonly<Record<string, string>>;
  /** How many progress notifications of LONG must arrive; all of them, where nobody in between drops some. */
  readonly progress?: number;
}

interface Exercised {
  listTools(): Promise<{ tools: readonly unknown[] }>;
  call(name: string, args: Record<string, unknown>, onprogress?: () => void): Promise<unknown>;
  readonly transport: { onmessage?: unknown };
  close(): Promise<void>;
}

/** initialize, tools/list, a call, a call with progress. */
export async function exerciseWith(sdk: Sdk, kind: Kind, url: string, options: Options = {}): Promise<void> {
  const client = await (sdk === 'v1' ? connectV1 : connectV2)(kind, new URL(url), options);
  try {
    assert.equal((await client.listTools()).tools.length, TOOLS);
    assert.equal(textOf(await client.call('echo', { message: 'grüße 🌍' })), 'Echo: grüße 🌍');
    const { progress = LONG_ARGS.steps } = options;
    const heard = progressOf(client.transport, progress);
    // A call that fails says more.
    heard.catch(() => {});
    assert.equal(textOf(await client.call(LONG, LONG_ARGS, () => {})), LONG_DONE);
    assert.deepEqual(await heard, [1, 2, 3].slice(0, progress));
  } finally {
    await client.close();
  }
}

async function connectV1(kind: Kind, url: URL, { fetch, headers = {} }: Options): Promise<Exercised> {
  const client = new ClientV1(INFO);
  const options = { requestInit: { headers }, ...(fetch === undefined ? {} : { fetch }) };
  const transport = kind === 'sse' ? new SseV1(url, options) : new HttpV1(url, options);
  // The SDK's transports are not written for exactOptionalPropertyTypes.
  await client.connect(transport as TransportV1);
  return {
    listTools: () => client.listTools(),
    call: (name, args, onprogress) =>
      client.callTool({ name, arguments: args }, undefined, onprogress === undefined ? {} : { onprogress }),
    transport,
    close: () => client.close(),
  };
}

async function connectV2(kind: Kind, url: URL, { fetch, headers = {} }: Options): Promise<Exercised> {
  const client = new ClientV2(INFO);
  const options = { requestInit: { headers }, ...(fetch === undefined ? {} : { fetch }) };
  const transport = kind === 'sse' ? new SseV2(url, options) : new HttpV2(url, options);
  await client.connect(transport);
  return {
    listTools: () => client.listTools(),
    call: (name, args, onprogress) =>
      client.callTool({ name, arguments: args }, onprogress === undefined ? {} : { onprogress }),
    transport,
    close: () => client.close(),
  };
}

/** The next `count` progress notifications, in the order in which they arrive. */
function progressOf(transport: { onmessage?: unknown }, count: number): Promise<number[]> {
  const deliver = transport.onmessage as (message: Record<string, unknown>, ...rest: unknown[]) => void;
  return new Promise((resolve, reject) => {
    const seen: number[] = [];
    const timer = setTimeout(() => reject(new Error(`only ${seen.length} of ${count} progress`)), deadlineMs);
    timer.unref();
    transport.onmessage = (message: Record<string, unknown>, ...rest: unknown[]): void => {
      if (message.method === 'notifications/progress') {
        seen.push((message.params as { progress: number }).progress);
        if (seen.length === count) {
          clearTimeout(timer);
          resolve([...seen]);
        }
      }
      deliver(message, ...rest);
    };
  });
}

export function textOf(result: unknown): string | undefined {
  return (result as { content: { text?: string }[] }).content[0]?.text;
}
