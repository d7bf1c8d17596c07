// The list of a new session over 20 backends that start as slowly as npx does, each listed once before: started for the
// session, and (`start: lazy`) answered from the pins alone.
import { setTimeout as wait } from 'node:timers/promises';
import { echoServer, startOverlay } from './chains.mjs';
import { Client } from './driver.mjs';
import { recorder } from './turns.mjs';

const BACKENDS = 20;
const TOOLS_EACH = 5;
const START_MS = 800;
/** 20 children start on few cores. */
const FIRST_LIST_MS = 60_000;

export async function measureList({ rounds }) {
  return { ...(await listed('list20', rounds, {})), ...(await listed('list20Cold', rounds, { start: 'lazy' })) };
}

async function listed(name, rounds, more) {
  const started = await startOverlay({
    backends: Array.from({ length: BACKENDS }, (_, index) => backend(`b${index}`, more)),
  });
  const figures = {};
  try {
    await untilAllListed(started.agent);
    for (let round = 0; round < rounds.list; round += 1) await listOnce(started.agent, name, recorder(figures));
    return figures;
  } finally {
    await started.end();
  }
}

function backend(id, more) {
  const args = [echoServer, '--tools', `${TOOLS_EACH}`, '--delay', `${START_MS}`];
  return { id, transport: { type: 'stdio', command: process.execPath, args }, ...more };
}

async function untilAllListed(agent) {
  const client = new Client(agent);
  try {
    const until = performance.now() + FIRST_LIST_MS;
    let { length } = await client.open();
    while (length < BACKENDS * TOOLS_EACH) {
      if (performance.now() > until) throw new Error(`only ${length} tools of 20 backends after a minute`);
      await wait(250);
      length = (await client.request('tools/list')).result.tools.length;
    }
  } finally {
    await client.close();
  }
}

async function listOnce(agent, name, record) {
  const client = new Client(agent);
  try {
    const since = performance.now();
    await client.handshake();
    const asked = performance.now();
    const { result } = await client.request('tools/list');
    record(`${name}Ms`, performance.now() - asked);
    record(`${name}InitializeMs`, asked - since);
    record(`${name}Tools`, result.tools.length);
  } finally {
    await client.close();
  }
}
