// Reads the receipts of the answers that a share's session delivers, on their way to the agent. The bytes pass as they are.

import type { Message, Transport } from '@mcp-overlay/relay';
import type { ReceiptKeeper } from './keeper.ts';
import { receiptIn } from './receipt.ts';
import { contradicted, type Heads, NO_HEADS, seen } from './watch.ts';

/** Requests that were taken back are never answered; of the oldest nothing is remembered. */
const MAX_OPEN = 10_000;

export interface TapOptions {
  readonly keeper: ReceiptKeeper;
  readonly share: string;
  readonly log: { warn(fields: object, event: string): void };
}

export function tapReceipts(server: Transport, { keeper, share, log }: TapOptions): Transport {
  let heads: Heads = NO_HEADS;
  /** What was known when each open request was sent; empty as long as no receipt is known. */
  const sent = new Map<string, Heads>();
  const warned = new Set<string>();
  // Known long before the first call: a handshake with the share comes first.
  void keeper.heads().then((kept) => {
    for (const receipt of kept.values()) heads = seen(heads, receipt);
  });

  const remember = (id: string): void => {
    sent.set(id, heads);
    const [oldest] = sent.keys();
    if (sent.size > MAX_OPEN && oldest !== undefined) sent.delete(oldest);
  };

  const answer = (message: Message): void => {
    const before = sent.get(message.id ?? '');
    sent.delete(message.id ?? '');
    const receipt = receiptIn(message);
    if (!receipt) return;
    keeper.keep(receipt);
    heads = seen(heads, receipt);
    const other = before && contradicted(before, receipt);
    if (!other || warned.has(receipt.log)) return;
    warned.add(receipt.log);
    log.warn(
      { share, log: receipt.log, seq: receipt.seq, known: other.seq },
      'the audit log of this share was rolled back: it gave a number that it had given before',
    );
  };

  return {
    start: (handlers) =>
      server.start({
        ...handlers,
        message: (message) => {
          if (message.kind === 'response') answer(message);
          handlers.message(message);
        },
        closed: (reason) => void keeper.close().then(() => handlers.closed(reason)),
      }),
    send: (message) => {
      if (message.kind === 'request' && heads.size > 0) remember(message.id ?? '');
      return server.send(message);
    },
    drained: () => server.drained(),
    pause: () => server.pause(),
    resume: () => server.resume(),
    close: async (reason) => {
      await server.close(reason);
      await keeper.close();
    },
  };
}
