// One serving program of a chaos run, over all its lives.

import type { Command, House, Running } from '../e2e/harness.ts';

export class Actor {
  readonly name: string;
  readonly #house: House;
  readonly #command: Command;
  readonly #upgrade: Command | undefined;
  #running: Running | undefined;
  /** Of all its lives. */
  readonly pids: number[] = [];

  /** `upgrade`: the command of a successor that takes over while this one still runs. */
  constructor(name: string, house: House, command: Command, upgrade?: Command) {
    this.name = name;
    this.#house = house;
    this.#command = command;
    this.#upgrade = upgrade;
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

  async replace(): Promise<void> {
    if (!this.#upgrade) throw new Error(`${this.name} cannot be replaced`);
    const old = this.running;
    this.#running = await this.#house.start(this.#upgrade);
    this.pids.push(this.pid);
    const code = await old.ended;
    if (code !== 0) throw new Error(`${this.name} ended with ${code} when it was replaced\n${old.stderr()}`);
  }

  freeze(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  thaw(): void {
    process.kill(this.pid, 'SIGCONT');
  }
}
