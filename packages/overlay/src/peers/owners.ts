// Whose a share is: the folder's user on local, the host's own identity, and on zrok every environment of its account.
// The network is asked, and not for each caller.

import { OverlayError } from '../errors.ts';
import type { Overlay } from '../overlay.ts';
import { OWNER } from '../proof/principal.ts';
import { ownIdentity } from './self.ts';

const KEEP_MS = 60_000;

/** Rejects `overlay_unavailable` while the network never said it. */
export function ownersOf(overlay: Overlay, now: () => number = Date.now): () => Promise<ReadonlySet<string>> {
  let known: ReadonlySet<string> = new Set();
  let asked: { readonly at: number; readonly answer: Promise<ReadonlySet<string>> } | undefined;
  let told = false;

  const ask = async (): Promise<ReadonlySet<string>> => {
    try {
      known = new Set(await overlay.ownIdentities?.());
      told = true;
    } catch (cause) {
      asked = undefined;
      // Who was an owner a while ago is one still; the network being away makes nobody new one.
      if (!told) {
        throw new OverlayError('overlay_unavailable', 'the network cannot be asked whose this share is', { cause });
      }
    }
    return known;
  };
  return async () => {
    if (!asked || now() - asked.at > KEEP_MS) asked = { at: now(), answer: ask() };
    const others = await asked.answer;
    const self = await ownIdentity(overlay, now());
    const own = self && 'id' in self ? [self.id] : [];
    return new Set([...others, ...own, ...(overlay.kind === 'local' ? [OWNER] : [])]);
  };
}
