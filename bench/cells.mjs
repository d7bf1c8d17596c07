// What is measured on chains that are up: how long, and how many. Each cell takes started chains and gives
// `{ chain: { figure: number[] } }`, one list of samples for each figure; those named `…RoundMs` have one for each round.
import { closeSync, fdatasync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Client } from './driver.mjs';
import { percentile } from './figures.mjs';
import { memoryOf } from './processes.mjs';
import { SMALL, takeTurns, withClients } from './turns.mjs';

const IN_FLIGHT = 32;
const MiB = 1024 * 1024;

export const cells = {
  /** Spawn of what the agent runs, to the answers of initialize and tools/list. */
  cold: (started, { rounds }) =>
    takeTurns(started, rounds.cold, async ({ agent }, record) => {
      const since = performance.now();
      const client = new Client(agent);
      try {
        await client.open();
        record('coldMs', performance.now() - since);
      } finally {
        await client.close();
      }
    }),

  latency: (started, { rounds, calls }) =>
    withClients(started, calls.warm, (clients) =>
      takeTurns(clients, rounds.latency, async ({ client, folder }, record) => {
        const round = [];
        for (let call = 0; call < calls.latency; call += 1) {
          const since = performance.now();
          await client.request('tools/call', SMALL);
          round.push(performance.now() - since);
        }
        for (const took of round) record('latencyMs', took);
        record('latencyRoundMs', percentile(round, 0.5));
        if (folder !== undefined) {
          record('fdatasyncTightRoundMs', await fdatasyncMs(folder, tight));
          record('fdatasyncRoundMs', await fdatasyncMs(folder, awaited));
        }
      }),
    ),

  throughput: (started, { rounds, calls, throughputMs }) =>
    withClients(started, calls.warm, (clients) =>
      takeTurns(clients, rounds.throughput, async ({ client }, record) => {
        record('callsPerSecond', await callsPerSecond(client, throughputMs));
      }),
    ),

  large: (started, { rounds, calls }) =>
    withClients(started, 10, (clients) =>
      takeTurns(clients, rounds.large, async ({ client }, record) => {
        const round = [];
        await timeResults(client, MiB, calls.large, (took) => round.push(took));
        for (const took of round) record('result1MiBMs', took);
        record('result1MiBRoundMs', percentile(round, 0.5));
      }),
    ),

  /** The memory of each host after each round shows whether it stays flat. */
  huge: (started, { rounds, calls }) =>
    withClients(started, 10, (clients) =>
      takeTurns(clients, rounds.huge, async ({ client, hosts }, record) => {
        await timeResults(client, 16 * MiB, calls.huge, (took) => record('result16MiBMs', took));
        for (const { role, pid } of hosts) record(`${role}AfterHugeMB`, memoryOf(pid).own);
      }),
    ),
};

/** What the disk of this folder takes for one record, in the same round. */
async function fdatasyncMs(folder, synced) {
  const path = join(folder, 'fdatasync');
  const file = openSync(path, 'w');
  const record = Buffer.alloc(700, 'x');
  const took = [];
  for (let write = 0; write < 100; write += 1) took.push(await synced(file, record));
  closeSync(file);
  rmSync(path);
  return percentile(took, 0.5);
}

/** One behind the other, by a thread that does nothing else: the disk is awake. */
function tight(file, record) {
  writeSync(file, record);
  const since = performance.now();
  fdatasyncSync(file);
  return performance.now() - since;
}

/** As a call meets it: after a pause, and by a program that must not stand still meanwhile. */
async function awaited(file, record) {
  await wait(1);
  writeSync(file, record);
  const since = performance.now();
  await new Promise((resolve, reject) => fdatasync(file, (error) => (error ? reject(error) : resolve())));
  return performance.now() - since;
}

async function timeResults(client, bytes, count, record) {
  for (let call = 0; call < count; call += 1) {
    const since = performance.now();
    const answer = await client.request('tools/call', { name: 'echo', arguments: { bytes } });
    record(performance.now() - since);
    if (!Buffer.isBuffer(answer) || answer.length < bytes) {
      throw new Error(`${bytes} bytes did not come back: ${JSON.stringify(answer).slice(0, 300)}`);
    }
  }
}

function callsPerSecond(client, forMs) {
  return new Promise((resolve, reject) => {
    const since = performance.now();
    let done = 0;
    let open = IN_FLIGHT;
    const next = () => client.call('tools/call', SMALL, answered, reject);
    const answered = ({ error }) => {
      if (error) return reject(new Error(`a call failed: ${JSON.stringify(error)}`));
      done += 1;
      const took = performance.now() - since;
      if (took < forMs) next();
      else {
        open -= 1;
        if (open === 0) resolve((done / took) * 1000);
      }
    };
    for (let call = 0; call < IN_FLIGHT; call += 1) next();
  });
}
