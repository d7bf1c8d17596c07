// Joins a client's transport with a server's: messages pass both ways unchanged, each side is read no faster than the
// other takes, and when one ends the other is ended. Lines that are no messages are answered, never passed on.

import { faultReply } from './faults.ts';
import type { Fault, Message } from './message.ts';
import type { CloseReason, Transport } from './transport.ts';

export interface RelayHooks {
  /** What may happen between the client's end of input and the end of the server's session. */
  readonly beforeServerClose?: (reason: CloseReason) => Promise<unknown>;
  readonly onFault?: (side: 'client' | 'server', fault: Fault) => void;
}

/** Starts both. Resolves with the reason of whoever ended first, when both are closed. */
export function relay(client: Transport, server: Transport, hooks: RelayHooks = {}): Promise<CloseReason> {
  return new Promise((resolve) => {
    let ended = false;
    const end = async (reason: CloseReason, other: Transport, before?: Promise<unknown>): Promise<void> => {
      if (ended) return;
      ended = true;
      await before;
      await other.close(reason);
      resolve(reason);
    };
    server.start({
      message: (message) => pass(message, server, client),
      fault: (fault) => hooks.onFault?.('server', fault),
      closed: (reason) => void end(reason, client),
    });
    client.start({
      message: (message) => pass(message, client, server),
      fault: (fault) => {
        hooks.onFault?.('client', fault);
        const reply = faultReply(fault);
        if (reply) client.send(reply);
      },
      closed: (reason) => void end(reason, server, hooks.beforeServerClose?.(reason)),
    });
  });
}

function pass(message: Message, from: Transport, to: Transport): void {
  if (to.send(message)) return;
  from.pause();
  void to.drained().then(() => from.resume());
}
