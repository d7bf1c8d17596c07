// A part of a file as JSON has it: values that are another program's, taken as they stand.

import type { Node } from './node.ts';

export function plain(node: Node): unknown {
  if (node.kind === 'list') return node.items.map(plain);
  if (node.kind === 'scalar') return node.value;
  // No prototype: a key may be named `__proto__`.
  const object: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [key, { value }] of node.entries) object[key] = plain(value);
  return object;
}
