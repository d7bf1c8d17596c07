// Memory of each process of a chain: after load with one session, and what each of many further sessions adds. Hosts are
// started for this cell alone, so that no other cell's garbage is counted.
import { setTimeout as wait } from 'node:timers/promises';
import { echoServer } from './chains.mjs';
import { descendants, memoryOf } from './processes.mjs';
import { loadedClient } from './turns.mjs';

/** Garbage of the load is collected when a process is idle. */
const SETTLE_MS = 1500;
const AT_ONCE = 4;

export async function measureMemory(chains, { sessions, calls }) {
  const figures = {};
  for (const [name, { start }] of Object.entries(chains)) {
    const started = await start();
    try {
      figures[name] = await ofOneChain(started, sessions, calls.memory);
    } finally {
      await started.end();
    }
  }
  return figures;
}

async function ofOneChain({ agent, hosts }, sessions, calls) {
  const clients = [await loadedClient(agent, calls)];
  try {
    await wait(SETTLE_MS);
    const tools = { role: 'tools', pid: clients[0].pid };
    const alone = new Map(hosts.map(({ role, pid }) => [role, memoryOf(pid).own]));
    const figures = { helpersPssMB: [helpersOf([tools, ...hosts])] };
    for (const { role, pid } of [tools, ...hosts]) figures[`${role}PssMB`] = [memoryOf(pid).pss];
    while (clients.length < sessions) {
      const more = Math.min(AT_ONCE, sessions - clients.length);
      clients.push(...(await Promise.all(Array.from({ length: more }, () => loadedClient(agent, 20)))));
    }
    await wait(SETTLE_MS);
    for (const { role, pid } of hosts) {
      const { pss, own } = memoryOf(pid);
      figures[`${role}ManyPssMB`] = [pss];
      figures[`${role}MBPerSession`] = [(own - alone.get(role)) / (sessions - 1)];
    }
    return figures;
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}

/** Processes beside the programs and the server itself: watchers. */
function helpersOf(programs) {
  const pids = programs.map(({ pid }) => pid);
  return descendants(pids)
    .filter(({ pid, args }) => !pids.includes(pid) && !args.includes(echoServer))
    .reduce((sum, { pid }) => sum + memoryOf(pid).pss, 0);
}
