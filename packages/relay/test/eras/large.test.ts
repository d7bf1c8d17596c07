// Large messages through both translations: time grows with size, and nothing of them changes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LegacyOnModern } from '../../src/eras/legacy-on-modern/session.ts';
import { Handles } from '../../src/eras/modern-on-legacy/handle.ts';
import { ModernOnLegacy } from '../../src/eras/modern-on-legacy/session.ts';
import {
  type Json,
  legacyServer,
  modernMeta,
  modernServer,
  type Play,
  PlayedClient,
  PlayedHost,
  PlayedServer,
  steadyOn,
} from './played.ts';

const MiB = 1024 * 1024;

/** A text, or a list of tools, of a wished size. */
const sized: Play = (method, params) => {
  if (method === 'tools/call') return { content: [{ type: 'text', text: 'ä'.repeat(params.arguments.bytes / 2) }] };
  if (method !== 'tools/list') return undefined;
  const tool = (n: number) => ({ name: `tool_${n}`, description: 'x'.repeat(1000), inputSchema: { type: 'object' } });
  return { tools: Array.from({ length: Number(params.cursor ?? 1000) }, (_, n) => tool(n)) };
};

function clients(): Record<string, { client: PlayedClient; meta: Json }> {
  const host = new PlayedHost(legacyServer(sized));
  const modern = new PlayedClient(
    new ModernOnLegacy({
      open: () => steadyOn(host.open),
      handles: new Handles(),
      principal: 'owner',
      by: { name: 'x', version: '1' },
      onTaken: () => {},
      onRefused: () => {},
    }),
  );
  const legacy = new PlayedClient(new LegacyOnModern({ server: new PlayedServer(modernServer(sized)).near }));
  return { modern: { client: modern, meta: { _meta: modernMeta() } }, legacy: { client: legacy, meta: {} } };
}

for (const era of ['modern', 'legacy']) {
  test(`16 MiB and lists of thousands cross for a ${era} client in time that grows with their size`, async () => {
    const { client, meta } = clients()[era] as { client: PlayedClient; meta: Json };
    await client.ask('initialize', { protocolVersion: '2025-11-25', capabilities: {} });
    const msFor = async (bytes: number): Promise<number> => {
      const before = performance.now();
      const { result } = await client.ask('tools/call', { name: 'x', arguments: { bytes }, ...meta });
      assert.equal(result.content[0].text.length, bytes / 2);
      return performance.now() - before;
    };
    await msFor(MiB);
    const one = Math.min(await msFor(MiB), await msFor(MiB));
    const sixteen = await msFor(16 * MiB);
    // Quadratic would be 256 times; machines that are busy with other things are allowed for.
    assert.ok(sixteen < Math.max(one, 5) * 100, `1 MiB: ${one} ms, 16 MiB: ${sixteen} ms`);
    const few = await client.ask('tools/list', { ...meta });
    const many = await client.ask('tools/list', { cursor: '8000', ...meta });
    assert.deepEqual([few.result.tools.length, many.result.tools.length], [1000, 8000]);
    await client.transport.close();
  });
}
