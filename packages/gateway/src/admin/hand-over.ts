// Commands that are a conversation: a successor that takes the share, and whoever waits for a gateway to drain.
//   → {"command":"hand over"}      ← {"ok":{"pid","up","shares"}}   from here on the other may take share and admin socket
//   → {"command":"taken", …}       ← {"ok":{"open"}}           it has them: this one leaves, its admin socket moves aside
// If the successor ends before it said so, this one takes back what it agreed to lose.

import { UsageError } from '@mcp-overlay/cli';
import type { BoundSocket } from '@mcp-overlay/overlay';
import { within } from '@mcp-overlay/relay';
import type { Departure, OpenAtSession } from '../succession/departure.ts';
import type { Succession } from '../succession/succession.ts';
import type { Conversation, Request } from './conversation.ts';

/** A successor builds everything in this time, or has come to nothing: it may be frozen, and orders wait for it. */
const OFFER_MS = 300_000;
/** Who drains is told what is open at most so often. */
const TELL_MS = 1000;
/** A timer that is set for longer fires at once, and would cut what is open. */
const MAX_WITHIN_MS = 2 ** 31 - 1;

/** The admin socket of this gateway. */
export interface AdminPlace extends Pick<BoundSocket, 'yield'> {
  /** Its name is another's now. */
  moveAside(): Promise<void>;
}

export async function handOver(
  succession: Succession,
  place: AdminPlace,
  { onlyIfLeaving }: Request,
  talk: Conversation,
): Promise<void> {
  if (onlyIfLeaving === true && !succession.departure()) {
    talk.say({ ok: { stays: true } });
    talk.end();
    return;
  }
  const offer = await succession.offer();
  const yielding = place.yield();
  talk.say({ ok: { pid: process.pid, up: offer.up, shares: offer.shares } });
  const asked = talk.next();
  const { command, pid, withinMs } = ((await within(OFFER_MS, asked)) ? await asked : undefined) ?? {};
  const ms = msOf(withinMs);
  if (command !== 'taken' || ms === undefined) {
    await Promise.all([offer.takeBack(), yielding.takeBack()]);
    talk.end();
    return;
  }
  // The share is the other's by now: this one leaves even if nobody can ask it any more.
  const unanswering = await place.moveAside().then(
    () => undefined,
    (error: Error) => error.message,
  );
  const departure = await offer.taken({ withinMs: ms, successor: Number(pid), unanswering });
  talk.say({ ok: { open: departure.open().length } });
  talk.end();
}

export interface DrainNews {
  readonly pid: number;
  readonly until: string;
  readonly open: readonly OpenAtSession[];
  /** In the last one: how many calls were open when the time was up. */
  readonly cut?: number;
}

/** Says what is open now, again when that changes, and that it is over. */
export async function drain(succession: Succession, { withinMs }: Request, talk: Conversation): Promise<void> {
  const ms = msOf(withinMs);
  if (ms === undefined) throw new UsageError('drain: withinMs: expected milliseconds, at most 24 days');
  const departure = await succession.drain({ withinMs: ms });
  let told = '';
  const tell = (cut?: number): void => {
    const news = newsOf(departure, cut);
    const text = JSON.stringify(news);
    if (text !== told) talk.say({ ok: news });
    told = text;
  };
  tell();
  const timer = setInterval(tell, TELL_MS);
  const cut = await Promise.race([departure.gone, talk.over.then(() => undefined)]);
  clearInterval(timer);
  // The connection ends with this process: that is what whoever drains waits for.
  if (cut !== undefined) tell(cut);
  await talk.over;
}

function msOf(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 && value <= MAX_WITHIN_MS ? value : undefined;
}

function newsOf(departure: Departure, cut: number | undefined): DrainNews {
  const { until, open } = departure.status();
  return { pid: process.pid, until, open, ...(cut !== undefined && { cut }) };
}
