// A sign that a share is hosted: its socket appears in the folder. Whoever waits to dial it is told by the system, at once.

import { watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** `path` is that of the socket, when it is known. Returns what ends it. */
export function onSocketSign(path: Promise<string>, tell: () => void): () => void {
  const over = new AbortController();
  path.then(
    (socket) => {
      if (over.signal.aborted) return;
      // Without it dialers come a little later: a folder that is gone, or too many watchers.
      try {
        watch(dirname(socket), { persistent: false, signal: over.signal }, (_event, name) => {
          if (name === basename(socket)) tell();
        }).on('error', () => {});
      } catch {}
    },
    () => {},
  );
  return () => over.abort();
}
