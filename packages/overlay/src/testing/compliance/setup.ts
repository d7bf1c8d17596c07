// What rules begin with: a share that exists, a share that is hosted, two joined connections. Made by the overlay itself, or by
// the network's administrator where only he may.

import type { Listener, ListenOptions, Overlay } from '../../overlay.ts';
import { randomShareToken } from '../../share-token.ts';
import type { OverlayUnderTest } from '../compliance.ts';
import { type Joined, joined } from '../connections.ts';

/** A persistent share. */
export async function makeShare(net: OverlayUnderTest, token = randomShareToken()): Promise<string> {
  if (net.administrator) await net.administrator.make(token);
  else await net.overlay.createShare(token);
  return token;
}

/** A share that nobody had before, hosted by `overlay`. */
export async function hostNew(net: OverlayUnderTest, overlay: Overlay, options: ListenOptions): Promise<Listener> {
  return net.administrator ? overlay.listen(await makeShare(net), options) : overlay.listenEphemeral(options);
}

export async function joinedIn(net: OverlayUnderTest): Promise<Joined> {
  return joined(net.overlay, net.other, (options) => hostNew(net, net.overlay, options));
}
