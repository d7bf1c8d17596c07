// The list of a new session over 20 backends that start as slowly as npx does, each listed once before.
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
  const started = await startOverlay({
    backends: Array.from({ length: BACKENDS }, (_, index) => backend(`b${index}`)),
  });
  const figures = {};
  try {
    await untilAllListed(started.agent);
    for (let round = 0; round < rounds.list; round += 1) await listOnce(started.agent, recorder(figures));
    return figures;
  } finally {
    await started.end();
  }
}

function backend(id) {
  const args = [echoServer, '--tools', `${TOOLS_EACH}`, '--delay', `${START_MS}`];
  return { id, transport: { type: 'stdio', command: process.execPath, args } };
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

async function listOnce(agent, record) {
  const client = new Client(agent);
  try {
    const since = performance.now();
    await client.handshake();
    const asked = performance.now();
    const { result } = await client.request('tools/list');
    record('list20Ms', performance.now() - asked);
    record('list20InitializeMs', asked - since);
    record('list20Tools', result.tools.length);
  } finally {
    await client.close();
  }
}
