// What an operator means by `fs/read_file` or `fs__read_file`, without asking any server: a public name leads to the backend
// whose prefix it has.

import type { GatewayConfig } from '@mcp-overlay/config';

export interface Asked {
  readonly backend: string;
  readonly name: string;
}

/** `prefixOf`: what goes before a backend's public names. undefined: no backend is meant. */
export function askedOf(
  word: string,
  { backends }: Pick<GatewayConfig, 'backends'>,
  prefixOf: (backend: string) => string,
): Asked | undefined {
  const slash = word.indexOf('/');
  const named = backends.find(({ id }) => slash > 0 && id === word.slice(0, slash));
  if (named) return { backend: named.id, name: word.slice(slash + 1) };
  const prefixed = backends.filter(({ id }) => word.startsWith(prefixOf(id)) && word.length > prefixOf(id).length);
  // The longest prefix: `a_` may be the beginning of `a_b_`.
  const [longest] = prefixed.sort((a, b) => prefixOf(b.id).length - prefixOf(a.id).length);
  return longest && { backend: longest.id, name: word.slice(prefixOf(longest.id).length) };
}
