// Where `mcp-tools http` may listen: a loopback address or a Unix socket, nothing else. Any other address is an error,
// not a warning: nothing of this toolkit listens on a network.

import { isAbsolute } from 'node:path';
import { UsageError } from '@mcp-overlay/cli';

export type Bind =
  | { readonly kind: 'tcp'; readonly host: '127.0.0.1' | '::1'; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** A longer socket path is cut silently by some systems. */
const MAX_SOCKET_PATH_BYTES = 100;

const MAX_PORT = 65_535;
const REMEDY = 'use 127.0.0.1:PORT, [::1]:PORT or unix:/absolute/path';

export function parseBind(text: string): Bind {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    if (!isAbsolute(path)) throw new UsageError(`--bind ${text}: the socket path must be absolute`, REMEDY);
    if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
      throw new UsageError(`--bind: the socket path is longer than ${MAX_SOCKET_PATH_BYTES} bytes`, REMEDY);
    }
    return { kind: 'unix', path };
  }
  const [, bare] = /^:?(\d{1,5})$/.exec(text) ?? [];
  if (bare !== undefined) throw new UsageError(`--bind ${text} names no address`, `did you mean 127.0.0.1:${bare}?`);
  const match = /^(127\.0\.0\.1|localhost|\[::1\]):(\d+)$/.exec(text);
  const port = Number(match?.[2]);
  if (!match) throw new UsageError(`--bind ${text} is not a loopback address`, REMEDY);
  if (port > MAX_PORT) throw new UsageError(`--bind ${text}: ${match[2]} is no port`, `at most ${MAX_PORT}`);
  return { kind: 'tcp', host: match[1] === '[::1]' ? '::1' : '127.0.0.1', port };
}
