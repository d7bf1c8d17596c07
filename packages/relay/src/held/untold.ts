// What a server said and no client has answered or heard: its open questions, which every client is asked until one answers,
// and news that came while there was no client. Bounded: a server decides how much it says.

import { stringifyExact } from '../json-exact.ts';
import { parseMessage } from '../json-rpc.ts';
import type { Message } from '../message.ts';

/** A client that comes back lists anew what it needs; of news the latest are worth most. */
const MAX_NEWS = 1024;
const MAX_NEWS_BYTES = 1024 * 1024;
/** Of questions in all: a person reads a few KiB. Beyond it a question is asked once. */
const MAX_QUESTION_BYTES = 4 * 1024 * 1024;
const CANCELLED = 'notifications/cancelled';

export class Untold {
  /** undefined: too large to be kept. */
  readonly #questions = new Map<string, Message | undefined>();
  #questionBytes = 0;
  #news: Message[] = [];
  #newsBytes = 0;

  asked(question: Message): void {
    const { length } = question.bytes;
    const fits = this.#questionBytes + length <= MAX_QUESTION_BYTES;
    if (fits) this.#questionBytes += length;
    this.#questions.set(question.id ?? '', fits ? question : undefined);
  }

  /** Whether this is the first answer to a question that is open. */
  answered(answer: Message): boolean {
    return this.#over(answer.id ?? '');
  }

  /** A notification of the server, which may take a question back. */
  takenBack(notification: Message): void {
    if (notification.method !== CANCELLED || this.#questions.size === 0) return;
    const { params } = parseMessage(notification) as { params?: { requestId?: unknown } };
    this.#over(stringifyExact(params?.requestId ?? null));
  }

  /** For the next client. What took a question back says nothing to one that was not asked. */
  keep(messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.kind !== 'notification' || message.method === CANCELLED) continue;
      this.#news.push(message);
      this.#newsBytes += message.bytes.length;
    }
    while (this.#news.length > MAX_NEWS || this.#newsBytes > MAX_NEWS_BYTES) {
      this.#newsBytes -= this.#news.shift()?.bytes.length ?? 0;
    }
  }

  /** Ids of questions that cannot be asked again; they are open no more. */
  unaskable(): string[] {
    const ids = [...this.#questions].filter(([, question]) => question === undefined).map(([id]) => id);
    for (const id of ids) this.#questions.delete(id);
    return ids;
  }

  /** What the next client is told: news, then questions, which stay open. */
  take(): Message[] {
    const news = this.#news;
    this.#news = [];
    this.#newsBytes = 0;
    return [...news, ...[...this.#questions.values()].filter((question) => question !== undefined)];
  }

  #over(id: string): boolean {
    this.#questionBytes -= this.#questions.get(id)?.bytes.length ?? 0;
    return this.#questions.delete(id);
  }
}
