// Hosts to which links and images may lead: names, and `*.domain` for everything below one.

import type { HostCheck } from './links.ts';

export function hostCheck(hosts: readonly string[] | undefined): HostCheck | undefined {
  if (hosts === undefined) return undefined;
  const names = new Set(hosts.map((host) => host.toLowerCase()));
  return (host) => {
    if (names.has(host)) return true;
    for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
      if (names.has(`*${host.slice(dot)}`)) return true;
    }
    return false;
  };
}
