// What a connection speaks, told by its first bytes (docs/WIRE.md 2). The bytes looked at are handed on; a stranger that
// speaks none of the three gets one line that says so.

import type { Duplex } from 'node:stream';
import { RelayError } from '../errors.ts';
import { type Clock, SYSTEM_CLOCK } from './clock.ts';
import { readHead } from './first-line.ts';
import { LINK_PREFIX } from './preamble.ts';

export type Protocol = 'link' | 'ndjson' | 'http';

export interface Recognised {
  readonly protocol: Protocol;
  /** Everything read so far. */
  readonly head: Buffer;
}

const HTTP_METHODS = ['GET', 'POST', 'DELETE', 'OPTIONS', 'HEAD', 'PUT', 'PATCH', 'TRACE', 'CONNECT'];
const OPENINGS: readonly (readonly [opening: string, protocol: Protocol])[] = [
  [LINK_PREFIX, 'link'],
  ['{', 'ndjson'],
  ...HTTP_METHODS.map((method) => [`${method} `, 'http'] as const),
];

const UNKNOWN = `${JSON.stringify({
  jsonrpc: '2.0',
  id: null,
  error: {
    code: -32600,
    message: 'unknown protocol: a connection begins with MCP-LINK/, a JSON object or an HTTP request',
    data: { error: 'unknown_protocol' },
  },
})}\n`;

/** How long a stranger has to take the line before it is cut off. */
const FAREWELL_MS = 1000;

/** Rejects `unknown_protocol` (told and closed), `link_timeout` and `connection_lost`; the connection is over then. */
export async function recognise(
  connection: Duplex,
  { timeoutMs, clock = SYSTEM_CLOCK }: { timeoutMs: number; clock?: Clock },
): Promise<Recognised> {
  let head: Buffer = Buffer.alloc(0);
  try {
    return await readHead(connection, { timeoutMs, clock }, (chunk) => {
      // At most 9 bytes are ever waited for, so this copies little.
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
      const protocol = protocolOf(head);
      return protocol === undefined ? undefined : { protocol, head };
    });
  } catch (error) {
    if (error instanceof RelayError && error.code === 'unknown_protocol') farewell(connection, UNKNOWN, clock);
    else connection.destroy();
    throw error;
  }
}

/** Writes a last line, ends, and makes sure that it is over soon. */
export function farewell(connection: Duplex, line: string, clock: Clock): void {
  connection.on('error', () => {});
  if (connection.destroyed) return;
  const cancel = clock.after(FAREWELL_MS, () => connection.destroy(), true);
  connection.once('close', cancel);
  connection.resume();
  connection.end(line);
}

function protocolOf(head: Buffer): Protocol | undefined {
  let possible = false;
  for (const [opening, protocol] of OPENINGS) {
    const seen = head.toString('latin1', 0, opening.length);
    if (seen === opening) return protocol;
    if (opening.startsWith(seen)) possible = true;
  }
  if (possible) return undefined;
  throw new RelayError('unknown_protocol', 'the connection begins with nothing this host speaks');
}
