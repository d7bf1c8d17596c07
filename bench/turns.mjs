// How cells are run: chains take turns within every round, so that what else the machine does falls on all of them.
import { Client } from './driver.mjs';

export const SMALL = { name: 'echo', arguments: { text: 'x'.repeat(100) } };

/**
 * Runs `measure(chain, record)` for each chain in turn, the first one changing from round to round. A chain that fails is
 * left out from then on, with the reason as `failed`; what it gave before stays.
 */
export async function takeTurns(participants, rounds, measure) {
  const names = Object.keys(participants);
  const figures = Object.fromEntries(names.map((name) => [name, {}]));
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < names.length; turn += 1) {
      const name = names[(round + turn) % names.length];
      if (figures[name].failed !== undefined) continue;
      try {
        await measure(participants[name], recorder(figures[name]));
      } catch (error) {
        figures[name].failed = error.message;
      }
    }
  }
  return figures;
}

export function recorder(figures) {
  return (figure, value) => {
    figures[figure] ??= [];
    figures[figure].push(value);
  };
}

/** One open, warm client for each started chain; closed when `run` is over. */
export async function withClients(started, warmCalls, run) {
  const clients = {};
  try {
    for (const [name, { agent, hosts, folder }] of Object.entries(started)) {
      clients[name] = { client: await loadedClient(agent, warmCalls), hosts, folder };
    }
    return await run(clients);
  } finally {
    for (const { client } of Object.values(clients)) await client.close();
  }
}

export async function loadedClient(agent, calls) {
  const client = new Client(agent);
  try {
    await client.open();
    for (let call = 0; call < calls; call += 1) await client.request('tools/call', SMALL);
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}
