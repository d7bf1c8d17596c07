// A Unix socket as a Connection: the socket itself, so that nothing stands between it and its owner, with our errors and
// with a loss told apart from an end.

import type { Socket } from 'node:net';
import { OverlayError } from '../errors.ts';
import type { Connection } from '../overlay.ts';

/** Takes charge of the socket's errors at once; the binding follows from the hello. */
export function asConnection(socket: Socket, share: string): (binding: Uint8Array | null) => Connection {
  // The owner hears of an error by its own listener or by 'close'; without one it must not end the process.
  socket.on('error', () => {});
  const destroy = socket.destroy.bind(socket);
  socket.destroy = (error) => destroy(error && overlayError(error, share));
  tellLossFromEnd(socket);
  const abort = (reason: string): void => {
    socket.destroy(new OverlayError('connection_aborted', `the connection to share ${share} was aborted: ${reason}`));
  };
  return (binding) => Object.assign(socket, { peer: { overlay: 'local' } as const, binding, abort });
}

function overlayError(error: Error, share: string): OverlayError {
  if (error instanceof OverlayError) return error;
  const { code } = error as NodeJS.ErrnoException;
  const gone = code === 'EPIPE' || code === 'ECONNRESET' || code === 'ENOTCONN';
  // There is no network here to lose it on the way: it was cut, or its process was killed.
  if (gone) return new OverlayError('connection_aborted', `the other end of share ${share} is gone`, { cause: error });
  const text = `the connection to share ${share} was lost: ${error.message}`;
  return new OverlayError('connection_lost', text, { cause: error });
}

/**
 * A Unix socket reads a peer that ended its half and a peer that was killed as the same end of file. But to one that is
 * gone writing is refused, even of nothing (unix_stream_sendmsg, EPIPE). So before the end is passed on, once all that came
 * was read, nothing is written: the refusal destroys the connection with `connection_aborted`, and the end is never seen.
 * When our own half has ended before, the two cannot be told apart.
 */
function tellLossFromEnd(socket: Socket): void {
  const push = socket.push.bind(socket);
  const read = socket.read.bind(socket);
  let atEnd = false;
  let asked = false;
  const end = (): void => {
    push(null);
    read(0);
  };
  const ask = (): void => {
    if (asked) return;
    asked = true;
    // What waits to be written will be refused just as well.
    if (socket.destroyed || socket.writableEnded || socket.writableLength > 0) {
      end();
      return;
    }
    socket.write('', (error) => {
      if (!error) end();
    });
  };
  socket.push = (chunk, encoding) => {
    if (chunk !== null) return push(chunk, encoding);
    atEnd = true;
    if (socket.readableLength === 0) ask();
    // A reader that waits for more than is left has to try again, and learns that there is no more.
    else if (socket.listenerCount('readable') > 0) process.nextTick(() => socket.emit('readable'));
    return false;
  };
  socket.read = (size) => {
    const chunk = read(size);
    if (atEnd && (socket.readableLength === 0 || (chunk === null && size !== 0))) ask();
    return chunk;
  };
}
