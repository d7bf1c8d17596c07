// Ids of the requests of one session, whose clients follow one another and count from the start again: the first one's are
// passed as they are, those of each later one under a mark of its own. So an answer that comes too late finds nobody.

import { randomBytes } from 'node:crypto';

/** As `up` was given one: a number or a string, on one line. */
const ID = /^["0-9-][^\n\r]*$/;

export class ClientIds {
  /** No client can have chosen an id that begins like it. */
  readonly #mark = randomBytes(6).toString('hex');
  #clients = 1;

  /** From here on it is another client. */
  next(): void {
    this.#clients += 1;
  }

  /** An id of the client as the layers above know it. */
  up(id: string): string {
    return this.#clients === 1 ? id : JSON.stringify(`${this.#prefix}${id}`);
  }

  /** Back again; undefined: whoever asked is gone, or it is no id that was ever given out (a server may say anything). */
  down(id: string): string | undefined {
    if (this.#clients === 1) return id;
    if (!id.startsWith(`"${this.#prefix}`)) return undefined;
    const own = (JSON.parse(id) as string).slice(this.#prefix.length);
    return ID.test(own) && isJson(own) ? own : undefined;
  }

  get #prefix(): string {
    return `${this.#mark}:${this.#clients}:`;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
