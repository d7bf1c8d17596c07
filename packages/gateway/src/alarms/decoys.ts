// Tools that are none. They stand in lists beside their backend's own, for whoever sees one of those, and a call of one is
// answered like one that failed; that it rings nobody is told here. A tool that really exists is never hidden by one.

import type { DecoyConfig } from '@mcp-overlay/config';
import type { RoutedCall } from '../call/call.ts';
import type { JsonObject } from '../call/json.ts';
import type { Stage } from '../call/stage.ts';

export interface Decoy {
  readonly name: string;
  /** As a list shows it. */
  readonly item: JsonObject;
}

/** By backend. */
export type Decoys = ReadonlyMap<string, readonly Decoy[]>;

/** Like the failure of many a tool; nothing in it says more. */
const FAILED = { content: [{ type: 'text', text: 'Internal error' }], isError: true };

export function decoysOf(configs: readonly DecoyConfig[]): Decoys {
  const decoys = new Map<string, Decoy[]>();
  for (const { backend, tool, description, arguments: names } of configs) {
    const properties = Object.fromEntries(names.map((name) => [name, { type: 'string' }]));
    const item = { name: tool, description, inputSchema: { type: 'object', properties } };
    decoys.set(backend, [...(decoys.get(backend) ?? []), { name: tool, item }]);
  }
  return decoys;
}

/** `isDecoy`: listed, and no tool of the backend's own. */
export function decoyed(isDecoy: ((backend: string, name: string) => Promise<boolean>) | undefined): Stage<RoutedCall> {
  if (!isDecoy) return (next) => next;
  return (next) => async (call) => {
    if (call.method !== 'tools/call' || !(await isDecoy(call.backend.id, call.target.name))) return next(call);
    return { result: FAILED };
  };
}
