// The underlay that an address asks for. The WebSocket one is loaded when it is needed: most networks never do.

import { openTlsUnderlay } from './tls-underlay.ts';
import type { Underlay, UnderlayOptions } from './underlay.ts';

/** Rejects with `router_unreachable`, `router_untrusted`, `router_refused`, `proxy_…`, or the signal's reason. */
export async function openUnderlay(options: UnderlayOptions): Promise<Underlay> {
  if (options.address.scheme === 'tls') return openTlsUnderlay(options);
  const { openWsUnderlay } = await import('./ws-underlay.ts');
  return openWsUnderlay(options);
}
