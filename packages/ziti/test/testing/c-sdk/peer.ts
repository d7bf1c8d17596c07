// The C SDK of OpenZiti as a process of its own: a peer that we did not write. Without it (node scripts/c-sdk.mjs) the tests
// that want it are skipped and say why.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { TestNetwork } from '../../../src/testing/index.ts';

const here = dirname(fileURLToPath(import.meta.url));
const finder = join(here, '..', '..', '..', '..', '..', 'scripts', 'c-sdk.mjs');
const found = spawnSync(process.execPath, [finder, '--find'], { encoding: 'utf8' });
const python = found.stdout.trim();

/** For `test(…, { skip })`. */
export const withoutCSdk: string | false = found.status === 0 ? false : `NO C PEER: ${found.stderr.trim()}`;

export interface Peer extends AsyncDisposable {
  /** What it printed so far. */
  readonly output: string;
  /** Resolves with its exit code, null after a signal. */
  readonly exited: Promise<number | null>;
  kill(): Promise<void>;
}

/** A content type that everybody ignores. */
const NOTHING = 4242;
const NUDGE_MS = 20;

/**
 * The C SDK 0.29.3 has 32 messages for what it receives on a channel. When all are in use it leaves the rest in its buffer, and
 * goes on only when further bytes come (ziti-sdk-c library/channel.c, process_inbound): in a quiet network with the answer to
 * its next latency probe, a minute later, or never. Bulk data for C peers therefore needs this. (Nor may a frame for it be without
 * headers and body: it would wait for the rest of nothing.)
 */
export function keepAwake(net: Pick<TestNetwork, 'routers'>): Disposable {
  const timer = setInterval(() => {
    const channels = net.routers.flatMap((router) => router.channels);
    for (const channel of channels) if (channel.identity !== undefined) channel.send(NOTHING, {}, 'x');
  }, NUDGE_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Resolves when it hosts the service. It sends every message back (frames.py). */
export async function cHost(identity: string, service: string, instance?: string): Promise<Peer> {
  const { peer, child } = start(['host.py', identity, service, ...(instance === undefined ? [] : [instance])]);
  await new Promise<void>((resolve, reject) => {
    if (child.stdout) createInterface({ input: child.stdout }).once('line', () => resolve());
    void peer.exited.then((code) => reject(new Error(`the C host ended with ${code}: ${peer.output}`)));
  });
  return peer;
}

export interface CDial {
  readonly connections?: number;
  readonly bytes?: number;
  readonly instance?: string;
}

/** Ends with 0 when every connection got its own bytes back. */
export function cDial(
  identity: string,
  service: string,
  { connections = 1, bytes = 1000, instance }: CDial = {},
): Peer {
  const more = instance === undefined ? [] : [instance];
  return start(['dial.py', identity, service, String(connections), String(bytes), ...more]).peer;
}

function start([program = '', ...args]: string[]): { peer: Peer; child: ChildProcess } {
  const env = { ...process.env, ZITI_LOG: '0', PYTHONDONTWRITEBYTECODE: '1' };
  const child = spawn(python, ['-u', join(here, program), ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  const text: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => text.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => text.push(chunk));
  child.stdin.on('error', () => {});
  const exited = once(child, 'close').then(([code]) => code as number | null);
  const kill = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await exited;
  };
  const peer: Peer = {
    get output() {
      return Buffer.concat(text).toString();
    },
    exited,
    kill,
    [Symbol.asyncDispose]: kill,
  };
  return { peer, child };
}
