// How soon a gateway that was killed with -9 serves its agents again: `node --import tsx bench/return.ts [ROUNDS] [AGENTS]
// [DOWN_MS]`. From the line that says that the share is hosted to the first answer of each agent, through a bridge whose
// server keeps its memory. Needs `npm run build`. The machine should be quiet: these are wall times.

import { setTimeout as wait } from 'node:timers/promises';
import { scriptedServer } from '../packages/relay/src/testing/scripted-server.ts';
import { House } from '../test/e2e/harness.ts';
import { LineClient } from '../test/e2e/line-client.ts';
import { shareBackend } from '../test/e2e/servers.ts';

const [rounds = 20, agents = 8, downMs = 3000] = process.argv.slice(2).map(Number);

await using house = await House.open();
const token = await house.createShare('return');
const { command, args } = scriptedServer({ name: 'far' });
const bridge = await house.bridge(command, ...args);
const program = house.gatewayProgram(await house.config([shareBackend('far', bridge)], { share: { token } }));
let gateway = await house.start(program);
const clients = await Promise.all(
  Array.from({ length: agents }, async () => {
    const client = LineClient.spawn(house.agentProgram(token));
    await client.initialize();
    return client;
  }),
);
const backMs: number[] = [];
for (let round = 1; round <= rounds; round += 1) {
  await gateway.end('SIGKILL');
  await wait(downMs);
  gateway = await house.start(program);
  const since = performance.now();
  await Promise.all(
    clients.map(async (client) => {
      const { count } = await client.told('counter');
      if (count !== round) throw new Error(`the server counted ${count} in round ${round}`);
      backMs.push(performance.now() - since);
    }),
  );
}
for (const client of clients) await client[Symbol.asyncDispose]();
backMs.sort((a, b) => a - b);
const at = (share: number): number => Math.round(backMs[Math.floor((backMs.length - 1) * share)] ?? 0);
process.stdout.write(
  `${backMs.length} returns, ${agents} agents, ${downMs} ms down: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, most ${at(1)} ms\n`,
);
