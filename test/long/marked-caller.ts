// A client that calls and checks and keeps nothing: each answer is looked at when it comes, each line searched for marks of
// others. What LineClient keeps of a million calls would be gigabytes.

import assert from 'node:assert/strict';
import type { LineClientEnds } from '../e2e/line-client.ts';

const MARK = /mark-[0-9a-f]{16}/g;

/** Of what comes: the answers to calls, by the id that the call had. */
interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly result?: { readonly content?: readonly { readonly text?: string }[] };
}

export class MarkedCaller {
  readonly #mark: string;
  readonly #ends: LineClientEnds;
  readonly #open = new Map<number, string>();
  #rest = '';
  /** 0 began its session. */
  #nextId = 1;
  #left = 0;
  #lines = 0;
  #done: () => void = () => {};
  #failed: (error: unknown) => void = () => {};

  /** Its session has begun: what comes now is told to nobody else. */
  constructor(mark: string, ends: LineClientEnds) {
    this.#mark = mark;
    this.#ends = ends;
    ends.output.removeAllListeners('data').on('data', (chunk: string) => {
      try {
        this.#take(chunk);
      } catch (error) {
        this.#failed(error);
      }
    });
    void ends.ended.then(() => this.#failed(new Error('the other end went away')));
  }

  /** So many calls, their ids counted on, `inFlight` at once. Resolves with the lines that came for them. */
  async call(count: number, inFlight: number): Promise<number> {
    this.#left = count;
    await new Promise<void>((resolve, reject) => {
      this.#done = resolve;
      this.#failed = reject;
      for (let n = 0; n < inFlight; n += 1) this.#next();
    });
    return this.#lines;
  }

  #next(): void {
    if (this.#left === 0) {
      if (this.#open.size === 0) this.#done();
      return;
    }
    this.#left -= 1;
    const id = this.#nextId++;
    const nonce = `${this.#mark}:${id}`;
    this.#open.set(id, nonce);
    const name = id % 2 === 0 ? 'near__echo' : 'far__echo';
    const params = { name, arguments: { nonce }, _meta: { nonce } };
    this.#ends.input.write(`${JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params })}\n`);
  }

  #take(chunk: string): void {
    const pieces = (this.#rest + chunk).split('\n');
    this.#rest = pieces.pop() ?? '';
    for (const raw of pieces) {
      this.#lines += 1;
      for (const found of raw.match(MARK) ?? []) assert.equal(found, this.#mark, raw);
      const { id, method, result } = JSON.parse(raw) as Answer;
      if (method !== undefined || id === undefined) continue;
      const nonce = this.#open.get(id);
      assert.ok(nonce !== undefined && this.#open.delete(id), `nobody asked: ${raw}`);
      const told = JSON.parse(result?.content?.[0]?.text ?? '{}') as { nonce?: unknown; meta?: unknown };
      assert.equal(told.nonce, nonce, raw);
      assert.deepEqual(told.meta, { nonce }, raw);
      this.#next();
    }
  }
}
