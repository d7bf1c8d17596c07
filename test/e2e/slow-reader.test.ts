// Two clients that read nothing, with 480 MiB of answers on their way to them: their own servers are stopped, nobody else’s; a
// server that is shared goes on without them; and the memory of the gateway does not grow with what nobody takes.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { test } from 'node:test';
import { House } from './harness.ts';
import { LineClient } from './line-client.ts';
import { stdioBackend } from './servers.ts';

const timeout = 180_000;
const MiB = 1024 * 1024;
const ANSWERS = 240;
const CALLS = 100;
/** For each client 8 MiB queued softly and 32 MiB hard, with copies on their way and what is not yet collected: the same for 60
 *  and for 200 answers to each, and less than is offered. */
const GROWTH = 360 * MiB;

test('one slow reader: others’ calls go on at the same server and at their own, and memory is bounded', {
  timeout,
}, async () => {
  await using house = await House.open();
  const backends = [stdioBackend('own'), stdioBackend('common', {}, { shared: true })];
  const gateway = await house.start(house.gatewayProgram(await house.config(backends)));
  const token = gateway.ready.share_token ?? '';
  await using other = LineClient.spawn(house.agentProgram(token));
  await other.initialize();
  for (const id of ['own', 'common']) assert.equal((await other.told(`${id}__echo`, { nonce: 'a' })).nonce, 'a');
  const before = await memoryOf(gateway.pid);
  const slow = [];
  for (const id of ['own', 'common']) slow.push(await slowReader(house.socket(token), `${id}__big`));
  try {
    // Its own servers come to a stop, the shared one loses it.
    await house.untilStatus(token, ({ calls }) => calls.open > 0);
    for (let n = 0; n < CALLS; n += 1) {
      const id = n % 2 === 0 ? 'own' : 'common';
      assert.equal((await other.told(`${id}__echo`, { nonce: `n${n}` })).nonce, `n${n}`);
    }
    const grown = (await memoryOf(gateway.pid)) - before;
    assert.ok(grown < GROWTH, `${Math.round(grown / MiB)} MiB more`);
    const { sessions } = await house.status(token);
    assert.ok(sessions.length >= 2, 'who reads nothing of its own server stays: it may be frozen, and come back');
  } finally {
    for (const socket of slow) socket.destroy();
  }
  await house.untilStatus(token, ({ sessions }) => sessions.length === 1);
});

/** Asks for much and reads nothing. */
async function slowReader(path: string, tool: string) {
  const socket = connect(path);
  await once(socket, 'connect');
  socket.pause();
  socket.on('error', () => {});
  const send = (message: object): void => void socket.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const clientInfo = { name: 'slow', version: '1' };
  send({ id: 0, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo } });
  send({ method: 'notifications/initialized' });
  for (let id = 1; id <= ANSWERS; id += 1) {
    send({ id, method: 'tools/call', params: { name: tool, arguments: { bytes: MiB } } });
  }
  return socket;
}

async function memoryOf(pid: number): Promise<number> {
  const [, kib = '0'] = /^VmRSS:\s+(\d+) kB/m.exec(await readFile(`/proc/${pid}/status`, 'latin1')) ?? [];
  return Number(kib) * 1024;
}
