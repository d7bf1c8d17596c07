// The local driver's hello, before anything else on a connection:
//   → MCP-LOCAL/1 <32 hex digits>\n      the dialer's nonce
//   ← MCP-LOCAL/1 <32 hex digits>\n      the host's
// Both nonces give the binding. What begins otherwise is a program that speaks to the share directly (design: link, NDJSON,
// HTTP by `curl --unix-socket`): it is handed on with every byte, and has no binding.

import { createHash, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';

const PREFIX = Buffer.from('MCP-LOCAL/');
const HELLO = /^MCP-LOCAL\/1 ([0-9a-f]{32})$/;
/** Ours has 45; a later version may say more, but not this much. */
export const MAX_HELLO_BYTES = 128;
const BINDING_DOMAIN = 'mcp-overlay local binding 1';
const LF = 0x0a;

/** `raw`: no hello; `foreign`: a hello that we do not understand. */
type Opening = { readonly nonce: string } | 'raw' | 'foreign';
/** The peer ended, broke off or was silent too long; or we stopped waiting. */
type Silence = 'ended' | 'silent' | 'stopped';

/** The host's half. Undefined when the connection came to nothing; it is destroyed then. */
export async function greetDialer(
  socket: Socket,
  share: string,
  options: { timeoutMs: number; signal: AbortSignal },
): Promise<{ binding: Uint8Array | null } | undefined> {
  const opening = await readOpening(socket, options);
  if (opening === 'raw') return { binding: null };
  if (opening === 'foreign') {
    // Says which version we speak; a later dialer may come back with that.
    socket.end('MCP-LOCAL/1\n', () => socket.destroy());
    return undefined;
  }
  if (typeof opening === 'string') {
    socket.destroy();
    return undefined;
  }
  const nonce = randomBytes(16).toString('hex');
  socket.write(`MCP-LOCAL/1 ${nonce}\n`);
  return { binding: bindingOf(share, opening.nonce, nonce) };
}

/** The dialer's half: the binding, or why there is none. The connection is not destroyed. */
export async function greetHost(
  socket: Socket,
  share: string,
  signal: AbortSignal,
): Promise<{ binding: Uint8Array } | 'incompatible' | 'ended' | 'stopped'> {
  const nonce = randomBytes(16).toString('hex');
  socket.write(`MCP-LOCAL/1 ${nonce}\n`);
  const opening = await readOpening(socket, { signal });
  if (opening === 'raw' || opening === 'foreign') return 'incompatible';
  if (typeof opening === 'string') return opening === 'silent' ? 'stopped' : opening;
  return { binding: bindingOf(share, nonce, opening.nonce) };
}

/** Takes the hello off the connection, or nothing; leaves it as if nobody had looked. */
function readOpening(
  socket: Socket,
  { timeoutMs, signal }: { timeoutMs?: number; signal: AbortSignal },
): Promise<Opening | Silence> {
  return new Promise((resolve) => {
    let seen: Buffer = Buffer.alloc(0);
    const settle = (result: Opening | Silence): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onStop);
      socket.off('readable', onReadable).off('end', onEnd).off('close', onEnd).off('error', onEnd);
      // Streams notice in the next tick that nobody waits for 'readable' any more; only then may an owner attach.
      process.nextTick(resolve, result);
    };
    const onReadable = (): void => {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) return;
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
      const found = openingOf(seen);
      if (!found) return;
      const rest = seen.subarray(found.usedBytes);
      if (rest.length > 0) socket.unshift(rest);
      settle(found.opening);
    };
    const onEnd = (): void => settle('ended');
    const onStop = (): void => settle('stopped');
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => settle('silent'), timeoutMs);
    socket.on('readable', onReadable).on('end', onEnd).on('close', onEnd).on('error', onEnd);
    signal.addEventListener('abort', onStop);
    if (signal.aborted) onStop();
    else if (socket.destroyed) onEnd();
  });
}

/** Undefined: more bytes will tell. At most `MAX_HELLO_BYTES` are waited for. */
function openingOf(seen: Buffer): { opening: Opening; usedBytes: number } | undefined {
  const known = Math.min(seen.length, PREFIX.length);
  if (!seen.subarray(0, known).equals(PREFIX.subarray(0, known))) return { opening: 'raw', usedBytes: 0 };
  const end = seen.subarray(0, MAX_HELLO_BYTES).indexOf(LF);
  if (end === -1) return seen.length < MAX_HELLO_BYTES ? undefined : { opening: 'foreign', usedBytes: seen.length };
  const [, nonce] = HELLO.exec(seen.toString('latin1', 0, end)) ?? [];
  return { opening: nonce === undefined ? 'foreign' : { nonce }, usedBytes: end + 1 };
}

function bindingOf(share: string, dialerNonce: string, hostNonce: string): Uint8Array {
  return createHash('sha256').update(`${BINDING_DOMAIN}\n${share}\n${dialerNonce}\n${hostNonce}`).digest();
}
