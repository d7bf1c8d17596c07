// What a modern client says beside each request, written out by hand.

import type { Json, LineClient, Reply } from './line-client.ts';

export const PREFIX = 'io.modelcontextprotocol/';
export const VERSION = '2026-07-28';

export function meta(capabilities: Json = {}): Json {
  return { [`${PREFIX}protocolVersion`]: VERSION, [`${PREFIX}clientCapabilities`]: capabilities };
}

export function call(
  agent: LineClient,
  name: string,
  args: Json = {},
  more: Json = {},
  capabilities: Json = {},
): Promise<Reply> {
  return agent.request('tools/call', { name, arguments: args, ...more, _meta: meta(capabilities) });
}
