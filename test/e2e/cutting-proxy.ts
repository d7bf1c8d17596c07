// A way to a share that can be cut: it listens as a share of one state folder and dials that of another, for a host looks
// after its own socket file. What it has read is passed on or lost, as with a network that goes away.

import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';

export class CuttingProxy implements AsyncDisposable {
  readonly #far: string;
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #forgotten: Socket[] = [];
  /** Bytes that may pass, both ways together, before the next cut. */
  #budget = Number.POSITIVE_INFINITY;
  #nextBudget: () => number = () => Number.POSITIVE_INFINITY;
  #closedForNow = false;
  #held = false;
  cuts = 0;
  connections = 0;

  private constructor(far: string) {
    this.#far = far;
    this.#server = createServer((near) => this.#join(near));
  }

  /** From a socket that is made here to one where a host listens. */
  static async between(near: string, far: string): Promise<CuttingProxy> {
    await mkdir(dirname(near), { recursive: true, mode: 0o700 });
    const proxy = new CuttingProxy(far);
    proxy.#server.listen(near);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** Cuts again and again, each time after some bytes: somewhere inside a message. */
  cutAfterSome(minBytes: number, maxBytes: number): void {
    this.#nextBudget = () => randomInt(minBytes, maxBytes);
    this.#budget = this.#nextBudget();
  }

  stopCutting(): void {
    this.#nextBudget = () => Number.POSITIVE_INFINITY;
    this.#budget = Number.POSITIVE_INFINITY;
  }

  /** Cuts all that is there, and lets nothing new through until `restore`. */
  sever(): void {
    this.#closedForNow = true;
    this.#cut();
  }

  restore(): void {
    this.#closedForNow = false;
  }

  /** Passes nothing on, and closes nothing: silence. New connections are taken, and are as silent. */
  hold(): void {
    this.#held = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  /** What was held comes through: as packets that are sent again until they arrive. */
  release(): void {
    this.#held = false;
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
  }

  /** Those that are there now never say anything again, and stay open: as when a machine on the way forgot them. */
  forget(): void {
    for (const [near, far] of this.#pairs) {
      for (const socket of [near, far]) {
        socket.removeAllListeners('data');
        socket.removeAllListeners('end');
        socket.removeAllListeners('close');
        socket.resume();
      }
      this.#forgotten.push(near, far);
    }
    this.#pairs.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cut();
    for (const socket of this.#forgotten) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(near: Socket): void {
    if (this.#closedForNow) {
      near.destroy();
      return;
    }
    this.connections += 1;
    const far = connect(this.#far);
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    if (this.#held) for (const socket of pair) socket.pause();
    for (const [from, to] of [pair, pair.toReversed() as [Socket, Socket]]) {
      from.on('error', () => {});
      from.on('data', (chunk: Buffer) => {
        const passes = chunk.subarray(0, this.#budget);
        this.#budget -= passes.length;
        if (!to.write(passes)) {
          from.pause();
          to.once('drain', () => {
            if (!this.#held) from.resume();
          });
        }
        // The part that passed is still written: a cut may come after any byte.
        if (this.#budget <= 0) to.write('', () => this.#cut());
      });
      from.on('end', () => to.end());
      from.on('close', () => {
        to.destroy();
        this.#pairs.delete(pair);
      });
    }
  }

  #cut(): void {
    if (this.#pairs.size > 0) this.cuts += 1;
    for (const pair of [...this.#pairs]) for (const socket of pair) socket.destroy();
    this.#pairs.clear();
    this.#budget = this.#nextBudget();
  }
}
