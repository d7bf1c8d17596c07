// One machine on the local overlay whose people have certificates of a CA of its own, for tests that act out who may what.

import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type Authority, type Issued, testAuthority } from '@mcp-overlay/overlay/testing';
import { type Finished, House, runToEnd } from './harness.ts';
import type { LineClient } from './line-client.ts';
import { stdioBackend } from './servers.ts';

export const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } },
});

export interface PeerRow {
  readonly id: string;
  readonly name?: string;
  readonly decision?: string;
  readonly outcome?: string;
  readonly sessions: number;
}

/** A house with a CA, and files for whom it issues to. */
export class Town implements AsyncDisposable {
  readonly house: House;
  readonly ca: Authority;
  readonly #folder: string;

  private constructor(house: House, ca: Authority, folder: string) {
    this.house = house;
    this.ca = ca;
    this.#folder = folder;
  }

  static async open(): Promise<Town> {
    const house = await House.open();
    const folder = join(house.home, 'pem');
    await mkdir(folder);
    const town = new Town(house, testAuthority('town'), folder);
    await town.trustFile();
    return town;
  }

  /** Flags of a program that is this one and believes the CA. */
  async as(name: string, issued: Issued = this.ca.issue(name)): Promise<string[]> {
    const file = join(this.#folder, `${name}.pem`);
    await writeFile(file, issued.keyPem + issued.pem, { mode: 0o600 });
    return ['--identity', file, '--trust', this.caFile];
  }

  get caFile(): string {
    return join(this.#folder, 'ca.pem');
  }

  async trustFile(...revocations: string[]): Promise<void> {
    await writeFile(this.caFile, [this.ca.pem, ...revocations].join('\n'));
  }

  async gateway(
    token: string,
    more: Record<string, unknown>,
    flags: readonly string[],
    backends = [stdioBackend('one')],
  ) {
    const config = await this.house.config(backends, { share: { token, ...more } });
    return this.house.start(this.house.gatewayProgram(config, ...flags));
  }

  /** What an agent sees that only says initialize. */
  initialize(token: string, flags: readonly string[]): Promise<Finished> {
    return runToEnd(this.house.agentProgram(token, ...flags), `${INITIALIZE}\n`);
  }

  async peers(...words: readonly string[]): Promise<PeerRow[]> {
    const { code, stdout, stderr } = await runToEnd(this.house.program('gateway', 'peers', ...words, '--json'));
    assert.equal(code, 0, stderr);
    const answer = JSON.parse(stdout) as PeerRow | PeerRow[];
    return Array.isArray(answer) ? answer : [answer];
  }

  tools(...words: readonly string[]): Promise<Finished> {
    return runToEnd(this.house.program('tools', ...words, '--overlay', 'local'));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.house[Symbol.asyncDispose]();
  }
}

export function refusedWith(finished: Finished, code: string): void {
  assert.equal(finished.code, 3, finished.stderr);
  assert.ok(finished.stderr.includes(code), `${code} in: ${finished.stderr}`);
  assert.equal(finished.stdout.includes('"error"'), true, 'the agent is told too');
}

export async function until(so: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!so()) {
    assert.ok(performance.now() < deadline, `never: ${what}`);
    await wait(20);
  }
}

export const ended = async (agent: LineClient): Promise<void> => void (await agent.ends.ended);
