import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { bindSocket, stateFolder } from '@mcp-overlay/overlay';
import { askAdmin } from '../../src/admin/client.ts';

/** A state folder in which these gateways answer so. */
async function house(gateways: Readonly<Record<string, (socket: Socket) => void>>) {
  const home = await mkdtemp(join(tmpdir(), 'admin-'));
  const env = { MCP_OVERLAY_HOME: home };
  const { admin } = await stateFolder(env);
  const bound = await Promise.all(
    Object.entries(gateways).map(([token, answer]) => bindSocket(join(admin, `${token}.sock`), answer)),
  );
  return {
    env,
    [Symbol.asyncDispose]: async () => {
      for (const { close } of bound) await close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

const says = (text: string) => (socket: Socket) => {
  socket.once('data', () => socket.end(text));
};
const good = says('{"ok":{"share":"one"}}\n');

test('the only gateway is found without being named', async () => {
  await using one = await house({ 'gateway-one': good });
  assert.deepEqual(await askAdmin('status', undefined, one.env), { share: 'one' });
  assert.deepEqual(await askAdmin('status', 'gateway-one', one.env), { share: 'one' });
});

test('none, several, another one: each is said', async () => {
  await using none = await house({});
  await assert.rejects(askAdmin('status', undefined, none.env), {
    code: 'share_not_hosted',
    message: 'no gateway is running',
  });
  await using two = await house({ 'gateway-one': good, 'gateway-two': good });
  await assert.rejects(askAdmin('status', undefined, two.env), {
    code: 'usage',
    message: 'several gateways are running: gateway-one, gateway-two',
    hint: 'name one: mcp-gateway status TOKEN',
  });
  assert.deepEqual(await askAdmin('status', 'gateway-two', two.env), { share: 'one' });
  await assert.rejects(askAdmin('status', 'gateway-three', two.env), {
    code: 'share_not_hosted',
    message: 'no gateway is running on share gateway-three',
  });
});

test('one that is older, speaks something else or says nothing is told from one that is not there', async () => {
  await using odd = await house({
    older: says('{"error":"it does not know this command"}\n'),
    strange: says('SSH-2.0-OpenSSH\n'),
    null: says('null\n'),
    mute: (socket) => socket.destroy(),
  });
  const incompatible = { code: 'peer_incompatible' };
  await assert.rejects(askAdmin('drain', 'older', odd.env), {
    ...incompatible,
    message: 'the gateway on share older cannot be asked: it does not know this command',
    hint: 'restart it with this version',
  });
  await assert.rejects(askAdmin('status', 'strange', odd.env), incompatible);
  await assert.rejects(askAdmin('status', 'null', odd.env), incompatible);
  await assert.rejects(askAdmin('status', 'mute', odd.env), {
    code: 'dial_timeout',
    message: 'the gateway on share mute does not answer',
  });
});
