// What a login's life means for channels: new tokens are told to routers, new logins need new channels, refused ones are renewed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EDGE_TYPES } from '../../src/edge/ids.ts';
import type { TestNetwork } from '../../src/testing/index.ts';
import { coded, over } from '../streams.ts';
import { echo, echoed, joined, onNetwork, QUICK } from './network.ts';

const timeout = 30_000;

function countFrames({ routers }: TestNetwork, type: number): () => number {
  let count = 0;
  for (const router of routers) {
    router.onFrame((frame) => {
      if (frame.type === type) count += 1;
    });
  }
  return () => count;
}

test('OIDC: before a token ends every channel knows the next one, and dials go on', { timeout }, async () => {
  await using on = await onNetwork({ login: 'oidc', timing: { accessTokenMs: 1500 } });
  on.net.addService('echo');
  const updates = countFrames(on.net, EDGE_TYPES.updateTokenSuccess);
  const client = await on.open('client', { login: 'oidc' });
  const host = await on.open('host', { login: 'oidc' });
  await host.listen('echo', { onConnection: echo });
  const first = await client.dial('echo');
  await on.net.until(() => updates() >= 4);
  assert.equal(await echoed(first, 'still here'), 'still here');
  const second = await client.dial('echo');
  assert.equal(await echoed(second, 'and new'), 'and new');
  assert.deepEqual(client.status().routers[0]?.channels, { dial: 1, bind: 0 }, 'on the same channel');
});

test('OIDC: a router that does not take the new token gets new channels', { timeout }, async () => {
  await using on = await onNetwork({ login: 'oidc', timing: { accessTokenMs: 1500 } });
  on.net.addService('echo');
  const [router] = on.net.routers;
  const host = await on.open('host', { login: 'oidc', timing: { ...QUICK, updateTokenMs: 50 } });
  await host.listen('echo', { onConnection: echo });
  const client = await on.open('client');
  const first = await client.dial('echo');
  const hostChannels = (): string[] =>
    router?.channels.filter(({ identity }) => identity === 'host').map(({ id }) => id) ?? [];
  const [before] = hostChannels();
  const updates = countFrames(on.net, EDGE_TYPES.updateToken);
  router?.faults.drop(({ type }) => type === EDGE_TYPES.updateToken);
  await on.net.until(() => updates() > 0 && hostChannels().some((id) => id !== before));
  router?.faults.clear();
  await on.net.until(() => on.net.terminators.length === 1);
  assert.equal(await echoed(first, 'the old one goes on'), 'the old one goes on');
  assert.equal(await echoed(await client.dial('echo'), 'new'), 'new');
  first.destroy();
  await on.net.until(() => hostChannels().length === 1 && !hostChannels().includes(before ?? ''));
});

for (const login of ['legacy', 'oidc'] as const) {
  test(`${login}: after a new login there are new channels, and the listener has moved`, { timeout }, async () => {
    await using on = await onNetwork({ login, timing: { badTokenMs: 100 } });
    on.net.addService('echo');
    const host = await on.open('host', { login, timing: QUICK });
    const client = await on.open('client', { login });
    await host.listen('echo', { onConnection: echo });
    const first = await client.dial('echo');
    const idsOf = (who: string): string[] =>
      on.net.routers[0]?.channels.filter(({ identity }) => identity === who).map(({ id }) => id) ?? [];
    const before = { host: idsOf('host'), client: idsOf('client') };
    const isNew = (who: 'host' | 'client'): boolean => idsOf(who).some((id) => !before[who].includes(id));
    on.net.expireApiSessions('host');
    on.net.expireApiSessions('client');
    // A controller says no to the old login; legacy channels have ended with it, OIDC ones go on with what they carry.
    await Promise.all([client.services(), host.services()]);
    await on.net.until(() => isNew('host'));
    await on.net.until(() => on.net.terminators.length === 1);
    if (login === 'oidc') assert.equal(await echoed(first, 'goes on'), 'goes on');
    assert.equal(await echoed(await client.dial('echo'), 'new'), 'new');
    assert.ok(isNew('client'));
    first.destroy();
    await on.net.until(
      () => ![...before.host, ...before.client].some((id) => [...idsOf('host'), ...idsOf('client')].includes(id)),
    );
    assert.equal(host.status().listeners[0]?.phase, 'bound');
  });
}

test('an identity that is removed while it hosts and dials', { timeout }, async () => {
  await using on = await onNetwork({ timing: { badTokenMs: 50 } });
  on.net.addService('echo');
  const phases: string[] = [];
  const { client, dialled, accepted } = await joined(on, {
    host: { timing: QUICK },
    listen: { onPhase: (phase, error) => phases.push(`${phase} ${error?.code}`) },
  });
  const ends = [over(dialled.resume()), over(accepted.resume())];
  on.net.removeIdentity('host');
  await Promise.all(ends);
  await on.net.until(() => on.net.terminators.length === 0);
  await assert.rejects(client.dial('echo'), coded('service_not_hosted'));
  assert.match(phases.at(-1) ?? '', /^lost/);
});
