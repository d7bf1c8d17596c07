// The official SDK's clients, v1 and v2, against our door.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v2 from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport as SseV1 } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport as StreamableV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  LoggingMessageNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { door } from './harness.ts';

const INFO = { name: 'test', version: '1' };
const CAPABILITIES = { capabilities: { sampling: {}, elicitation: {} } };
const SAMPLE = { role: 'assistant' as const, model: 'm', content: { type: 'text' as const, text: 'sampled' } };
const ELICITED = { action: 'accept' as const, content: { name: 'Ada' } };

interface Peer extends AsyncDisposable {
  call(name: string, args?: Record<string, unknown>, onProgress?: (n: number) => void): Promise<string>;
  tools(): Promise<number>;
  seen: string[];
  listChanged: Promise<void>;
}

function textOf(result: unknown): string {
  return String((result as { content: { text: string }[] }).content[0]?.text);
}

async function peerV1(transport: StreamableV1 | SseV1): Promise<Peer> {
  const client = new ClientV1(INFO, CAPABILITIES);
  const seen: string[] = [];
  client.setRequestHandler(CreateMessageRequestSchema, () => SAMPLE);
  client.setRequestHandler(ElicitRequestSchema, () => ELICITED);
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void seen.push(String(params.data)));
  const listChanged = new Promise<void>((resolve) =>
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => resolve()),
  );
  await client.connect(transport as Parameters<ClientV1['connect']>[0]);
  return {
    seen,
    listChanged,
    call: async (name, args = {}, onProgress) =>
      textOf(
        await client.callTool(
          { name, arguments: args },
          undefined,
          onProgress === undefined ? {} : { onprogress: ({ progress }) => onProgress(progress) },
        ),
      ),
    tools: async () => (await client.listTools()).tools.length,
    async [Symbol.asyncDispose]() {
      if (transport instanceof StreamableV1) await transport.terminateSession();
      await client.close();
    },
  };
}

async function peerV2(transport: v2.StreamableHTTPClientTransport | v2.SSEClientTransport): Promise<Peer> {
  const client = new v2.Client(INFO, CAPABILITIES);
  const seen: string[] = [];
  client.setRequestHandler('sampling/createMessage', () => SAMPLE);
  client.setRequestHandler('elicitation/create', () => ELICITED);
  client.setNotificationHandler('notifications/message', ({ params }) => void seen.push(String(params.data)));
  const listChanged = new Promise<void>((resolve) =>
    client.setNotificationHandler('notifications/tools/list_changed', () => resolve()),
  );
  await client.connect(transport);
  return {
    seen,
    listChanged,
    call: async (name, args = {}, onProgress) =>
      textOf(
        await client.callTool(
          { name, arguments: args },
          onProgress === undefined ? {} : { onprogress: ({ progress }) => onProgress(progress) },
        ),
      ),
    tools: async () => (await client.listTools()).tools.length,
    async [Symbol.asyncDispose]() {
      if (transport instanceof v2.StreamableHTTPClientTransport) await transport.terminateSession();
      await client.close();
    },
  };
}

const PEERS: Record<string, (url: URL) => Promise<Peer>> = {
  'SDK v1 over Streamable HTTP': (url) => peerV1(new StreamableV1(url)),
  'SDK v1 over SSE': (url) => peerV1(new SseV1(url)),
  'SDK v2 over Streamable HTTP': (url) => peerV2(new v2.StreamableHTTPClientTransport(url)),
  'SDK v2 over SSE': (url) => peerV2(new v2.SSEClientTransport(url)),
};

for (const [name, connect] of Object.entries(PEERS)) {
  for (const jsonResponse of [false, true]) {
    test(`${name} works through the door${jsonResponse ? ' in JSON mode' : ''}`, async () => {
      await using open = await door({ jsonResponse, sse: true });
      {
        await using peer = await connect(open.url);
        assert.equal(await peer.tools(), 7);
        assert.equal(await peer.call('echo', { text: 'grüße 🌍' }), 'grüße 🌍');
        const progress: number[] = [];
        assert.equal(await peer.call('progress', {}, (n) => progress.push(n)), 'done');
        assert.deepEqual(progress, [1, 2, 3]);
        assert.equal(await peer.call('sample'), 'sampled');
        assert.equal(await peer.call('elicit'), 'Ada');
        assert.equal(await peer.call('log'), 'logged');
        assert.deepEqual(peer.seen, ['a line']);
        assert.equal((await peer.call('big', { bytes: 1_000_000 })).length, 1_000_000);
        const many = await Promise.all(Array.from({ length: 40 }, (_, n) => peer.call('echo', { text: n })));
        assert.deepEqual(
          many,
          Array.from({ length: 40 }, (_, n) => String(n)),
        );
        (await open.owner()).notify('notifications/tools/list_changed');
        await peer.listChanged;
        assert.equal(open.count(), 1);
      }
      assert.equal((await (await open.owner()).end()).code, 'done');
      assert.equal(open.count(), 0);
    });
  }
}
