// One serving program of a chaos run, over all its lives.

import type { Command, House, Running } from '../e2e/harness.ts';

export class Actor {
  readonly name: string;
  readonly #house: House;
  readonly #command: Command;
  #running: Running | undefined;
  /** Of all its lives. */
  readonly pids: number[] = [];

  constructor(name: string, house: House, command: Command) {
    this.name = name;
    this.#house = house;
    this.#command = command;
  }

  get lives(): number {
    return this.pids.length;
  }

  get pid(): number {
    return this.running.pid;
  }

  get running(): Running {
    if (!this.#running) throw new Error(`${this.name} is not running`);
    return this.#running;
  }

  async start(): Promise<void> {
    this.#running = await this.#house.start(this.#command);
    this.pids.push(this.pid);
  }

  async kill(): Promise<void> {
    await this.running.end('SIGKILL');
  }

  /** As an operator would end it. */
  async end(): Promise<number | null> {
    return this.running.end('SIGTERM');
  }

  freeze(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  thaw(): void {
    process.kill(this.pid, 'SIGCONT');
  }
}
