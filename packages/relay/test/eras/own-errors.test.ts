// An error of our own is still known as one in the other era: who keeps outcomes has to know what it means for the call.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LegacyOnModern } from '../../src/eras/legacy-on-modern/session.ts';
import { Handles } from '../../src/eras/modern-on-legacy/handle.ts';
import { ModernOnLegacy } from '../../src/eras/modern-on-legacy/session.ts';
import { errorMessage, type RpcErrorName } from '../../src/index.ts';
import type { Message } from '../../src/message.ts';
import {
  legacyServer,
  modernMeta,
  modernServer,
  PlayedClient,
  PlayedHost,
  PlayedServer,
  SILENT,
  steadyOn,
} from './played.ts';

function answerOf(client: PlayedClient, id: string): Message | undefined {
  return client.messages.find((message) => message.kind === 'response' && message.id === id);
}

test('a modern call at a legacy server that dies: outcome_unknown', async () => {
  const host = new PlayedHost(
    legacyServer((method, _params, server) => {
      if (method !== 'tools/call') return undefined;
      server.far.break();
      return SILENT;
    }),
  );
  const client = new PlayedClient(
    new ModernOnLegacy({
      open: () => steadyOn(host.open),
      handles: new Handles(),
      principal: 'owner',
      by: { name: 'gateway', version: '1' },
      onTaken: () => {},
      onRefused: () => {},
    }),
  );
  const { error } = await client.ask('tools/call', { name: 'x', _meta: modernMeta() }, 7);
  assert.equal(error.data.error, 'outcome_unknown');
  assert.equal(answerOf(client, '7')?.ours, 'outcome_unknown');
  await client.transport.close();
});

test('a legacy call at a modern server, and what stands before that answers for it', async () => {
  for (const name of ['outcome_unknown', 'ending', 'backend_unavailable'] satisfies RpcErrorName[]) {
    const server = new PlayedServer(
      modernServer((method, _params, played, id) => {
        if (method !== 'tools/call') return undefined;
        played.far.send(errorMessage(id, name, 'so it is'));
        return SILENT;
      }),
    );
    const client = new PlayedClient(new LegacyOnModern({ server: server.near }));
    const clientInfo = { name: 'agent', version: '1' };
    await client.ask('initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo });
    const { error } = await client.ask('tools/call', { name: 'x' }, 7);
    assert.equal(error.data.error, name);
    assert.equal(answerOf(client, '7')?.ours, name);
    await client.transport.close();
  }
});
