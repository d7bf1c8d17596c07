// Hosting: bound means callers come, and a listener comes back by itself after whatever happened.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { ZitiConnection } from '../../src/edge/connection.ts';
import { EDGE_HEADERS, EDGE_TYPES } from '../../src/edge/ids.ts';
import type { ListenerPhase } from '../../src/edge/listener.ts';
import type { ZitiError } from '../../src/errors.ts';
import type { TestNetwork } from '../../src/testing/index.ts';
import { coded, over } from '../streams.ts';
import { echo, echoed, joined, onNetwork, QUICK } from './network.ts';

const timeout = 30_000;

/** Tells how the listener is: waits for a phase after those waited for before. */
function watched(): {
  onPhase: (phase: ListenerPhase, error: ZitiError | undefined) => void;
  until: (phase: ListenerPhase) => Promise<ZitiError | undefined>;
} {
  const seen: { phase: ListenerPhase; error: ZitiError | undefined }[] = [];
  let wake = (): void => {};
  const until = async (phase: ListenerPhase): Promise<ZitiError | undefined> => {
    for (;;) {
      const at = seen.findIndex((one) => one.phase === phase);
      if (at >= 0) return seen.splice(0, at + 1).at(-1)?.error;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const onPhase = (phase: ListenerPhase, error: ZitiError | undefined): void => {
    seen.push({ phase, error });
    wake();
  };
  return { onPhase, until };
}

/** Each listener id with its key that a bind was made with. */
function namesOfBinds(net: TestNetwork): Set<string> {
  const names = new Set<string>();
  for (const router of net.routers) {
    router.onFrame(({ type, headers }) => {
      if (type !== EDGE_TYPES.bind) return;
      names.add(`${headers.get(EDGE_HEADERS.listenerId)} ${headers.get(EDGE_HEADERS.publicKey)?.toString('hex')}`);
    });
  }
  return names;
}

test('the network says no at once: no such service, no right, no router', async () => {
  await using on = await onNetwork();
  on.net.addService('locked', { bind: [] });
  on.net.addService('nowhere', { routers: [] });
  const host = await on.open('host');
  await assert.rejects(host.listen('nothing', { onConnection: echo }), coded('service_not_found'));
  await assert.rejects(
    host.listen('locked', { onConnection: echo }),
    coded('service_not_found', 'service_not_permitted'),
  );
  await assert.rejects(host.listen('nowhere', { onConnection: echo, timeoutMs: 1500 }), (error) => {
    assert.ok(coded('bind_timeout')(error), String(error));
    assert.ok(coded('no_edge_routers')((error as ZitiError).cause), String(error));
    return true;
  });
  assert.deepEqual(host.status().listeners, []);
});

test('a caller that gives up waiting for the first bind leaves nothing behind', async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const host = await on.open('host');
  on.net.routers[0]?.faults.drop(({ type }) => type === EDGE_TYPES.bindSuccess);
  const caller = new AbortController();
  const listening = host.listen('echo', { onConnection: echo, signal: caller.signal });
  await on.net.until(() => on.net.terminators.length === 1);
  caller.abort();
  await assert.rejects(listening, coded('aborted'));
  await on.net.until(() => on.net.terminators.length === 0);
});

test('a terminator that does not come into being: unbound, and tried again', { timeout }, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const host = await on.open('host', { timing: { ...QUICK, bindSuccessMs: 50 } });
  const [router] = on.net.routers;
  let dropped = 0;
  router?.faults.drop(({ type }) => type === EDGE_TYPES.bindSuccess && dropped++ < 2);
  const listener = await host.listen('echo', { onConnection: echo });
  assert.equal(dropped, 3);
  assert.equal(listener.phase, 'bound');
  assert.equal(on.net.terminators.length, 1);
});

test('a router that does not answer the bind, and one that refuses it', { timeout }, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const host = await on.open('host', { timing: { ...QUICK, bindReplyMs: 30 } });
  const [router] = on.net.routers;
  router?.faults.drop(({ direction, type }) => direction === 'from-client' && type === EDGE_TYPES.bind);
  await assert.rejects(host.listen('echo', { onConnection: echo, timeoutMs: 1500 }), (error) => {
    assert.ok(coded('bind_timeout')((error as ZitiError).cause), String(error));
    return true;
  });
  router?.faults.drop((frame) => {
    if (frame.direction !== 'from-client' || frame.type !== EDGE_TYPES.bind) return false;
    const connId = frame.headers.get(EDGE_HEADERS.connId) ?? Buffer.alloc(4);
    frame.channel.send(EDGE_TYPES.stateClosed, { [EDGE_HEADERS.connId]: connId }, 'not today');
    return true;
  });
  await assert.rejects(host.listen('echo', { onConnection: echo, timeoutMs: 1500 }), (error) => {
    const { cause } = error as ZitiError;
    assert.ok(coded('bind_refused')(cause), String(error));
    assert.match(String(error), /not today/);
    return true;
  });
});

test('a router that dies and comes back: lost, then bound with the same name and key, and callers get through', {
  timeout,
}, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const { onPhase, until } = watched();
  const { client, accepted, dialled, listener } = await joined(on, { host: { timing: QUICK }, listen: { onPhase } });
  await until('bound');
  const [router] = on.net.routers;
  const names = namesOfBinds(on.net);
  const ends = [over(dialled.resume()), over(accepted.resume())];
  await router?.kill();
  await Promise.all(ends);
  assert.ok(coded('connection_lost')(await until('lost')));
  assert.equal(listener.phase, 'lost');
  await assert.rejects(client.dial('echo'), coded('router_unreachable', 'no_edge_routers'));
  await router?.start();
  await until('bound');
  assert.equal(names.size, 1);
  assert.equal(on.net.terminators.length, 1);
  (await client.dial('echo')).destroy();
});

test('a host whose bind is ended by the network binds again, and says so between', { timeout }, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const { onPhase, until } = watched();
  const names = namesOfBinds(on.net);
  const { client } = await joined(on, { host: { timing: QUICK }, listen: { onPhase } });
  await until('bound');
  on.net.deleteServiceSessions({ type: 'Bind' });
  assert.ok(coded('session_refused')(await until('lost')));
  await until('bound');
  (await client.dial('echo')).destroy();
  on.net.expireApiSessions('host');
  await until('lost');
  await until('bound');
  (await client.dial('echo')).destroy();
  assert.equal(on.net.terminators.length, 1);
  assert.equal(names.size, 1, 'the old key goes on with the old name');
  on.net.removeService('echo');
  await until('lost');
  on.net.addService('echo');
  await until('bound');
  assert.equal(names.size, 2, 'another service has another name');
  (await client.dial('echo')).destroy();
});

test('a right that is taken away and given back', { timeout }, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const { onPhase, until } = watched();
  const { client, listener } = await joined(on, { host: { timing: QUICK }, listen: { onPhase } });
  await until('bound');
  on.net.setPermissions('echo', { bind: [] });
  await until('lost');
  await on.net.until(() => on.net.terminators.length === 0);
  await assert.rejects(client.dial('echo'), coded('service_not_hosted'));
  on.net.setPermissions('echo', {});
  await until('bound');
  assert.equal(listener.phase, 'bound');
  (await client.dial('echo')).destroy();
});

test('a controller that is away: what is bound and open stays, what is new waits for it', { timeout }, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const host = await on.open('host', { timing: QUICK });
  const client = await on.open('client');
  const listener = await host.listen('echo', { onConnection: echo });
  const open = await client.dial('echo');
  const [controller] = on.net.controllers;
  const [router] = on.net.routers;
  await controller?.stop();
  assert.equal(await echoed(open, 'still here'), 'still here');
  assert.equal(listener.phase, 'bound');
  const gone = over(open.resume());
  await router?.kill();
  await router?.start();
  await gone;
  await controller?.start();
  await on.net.until(() => on.net.terminators.length === 1);
  (await client.dial('echo')).destroy();
});

test('terminators do not pile up, and the old bind gives way, when the channel is replaced', { timeout }, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const { client, host } = await joined(on, { host: { timing: QUICK } });
  const [before] = on.net.terminators;
  const [router] = on.net.routers;
  // A cable that was cut: the router still has the old channel when the new one comes.
  const [old] = router?.channels.filter(({ identity }) => identity === 'host') ?? [];
  assert.ok(old && before);
  old.faults.halfOpen(true);
  const second = await on.open('host-again', {});
  assert.ok(second && host);
  old.cut();
  await on.net.until(() => on.net.terminators.length === 1);
  (await client.dial('echo')).destroy();
});

test('several listeners in one process, on one service and on several, know their callers apart', async () => {
  await using on = await onNetwork();
  for (const service of ['a', 'b']) on.net.addService(service);
  const host = await on.open('host');
  const client = await on.open('client');
  const got: string[] = [];
  const listen = (service: string, name: string, instance?: string) =>
    host.listen(service, {
      instance,
      onConnection: (connection) => {
        got.push(name);
        echo(connection);
      },
    });
  const [one, two, b] = await Promise.all([listen('a', 'a1', 'one'), listen('a', 'a2', 'two'), listen('b', 'b')]);
  assert.equal(on.net.terminators.length, 3);
  assert.equal(host.status().routers[0]?.channels.bind, 1, 'on one channel');
  for (const [service, instance] of [['b'], ['a', 'two'], ['a', 'one']] as const) {
    const connection = await client.dial(service, { instance });
    assert.equal(await echoed(connection, 'x'), 'x');
  }
  assert.deepEqual(got, ['b', 'a2', 'a1']);
  await one?.close();
  await on.net.until(() => on.net.terminators.length === 2);
  await assert.rejects(client.dial('a', { instance: 'one' }), coded('service_not_hosted'));
  (await client.dial('a', { instance: 'two' })).destroy();
  await Promise.all([two?.close(), b?.close()]);
  assert.deepEqual(host.status().listeners, []);
});

test('closing unbinds, refuses who comes too late, and leaves connections alone', async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const { client, listener, dialled, accepted } = await joined(on);
  await listener.close();
  await listener.close();
  assert.equal(listener.phase, 'closed');
  await on.net.until(() => on.net.terminators.length === 0);
  await assert.rejects(client.dial('echo'), coded('service_not_hosted'));
  echo(accepted);
  assert.equal(await echoed(dialled, 'still here'), 'still here');
});

test('dials that cross a close end with a connection or a reason, and nobody comes in after it', {
  timeout,
}, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const host = await on.open('host');
  const client = await on.open('client');
  for (let round = 0; round < 15; round += 1) {
    const accepted: ZitiConnection[] = [];
    const listener = await host.listen('echo', { onConnection: (connection) => accepted.push(connection) });
    const dials = Array.from({ length: 10 }, () => client.dial('echo'));
    for (let n = 0; n < round * 5; n += 1) await turn();
    const closed = listener.close();
    const settled = await Promise.allSettled(dials);
    await closed;
    const atClose = accepted.length;
    for (const one of settled) {
      if (one.status === 'fulfilled') one.value.destroy();
      else assert.ok(coded('service_not_hosted', 'host_refused')(one.reason), String(one.reason));
    }
    await turn();
    assert.equal(accepted.length, atClose);
    for (const connection of accepted) connection.destroy();
  }
});

test('cost and precedence reach the network, are changed while bound, and outlast a loss', { timeout }, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const host = await on.open('host', { timing: QUICK });
  const listener = await host.listen('echo', { onConnection: echo, cost: 7, precedence: 'required' });
  const weight = () => on.net.terminators.map(({ cost, precedence }) => [cost, precedence]);
  assert.deepEqual(weight(), [[7, 1]]);
  listener.update({ cost: 100 });
  await on.net.until(() => on.net.terminators[0]?.cost === 100);
  assert.deepEqual(weight(), [[100, 1]]);
  listener.update({ precedence: 'failed' });
  await on.net.until(() => on.net.terminators[0]?.precedence === 2);
  const [router] = on.net.routers;
  await router?.kill();
  await router?.start();
  await on.net.until(() => on.net.terminators.length === 1);
  assert.deepEqual(weight(), [[100, 2]]);
});

test('an instance name that somebody else has', async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const [host, other] = await Promise.all([on.open('host'), on.open('other')]);
  await host.listen('echo', { onConnection: echo, instance: 'mine' });
  await assert.rejects(other.listen('echo', { onConnection: echo, instance: 'mine' }), coded('instance_taken'));
});

test('an application that throws at a connection loses it, and only it', async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const host = await on.open('host');
  const client = await on.open('client');
  let callers = 0;
  await host.listen('echo', {
    onConnection: (connection) => {
      callers += 1;
      if (callers === 1) throw new Error('the application is broken');
      echo(connection);
    },
  });
  const first = await client.dial('echo');
  first.resume();
  await once(first, 'close');
  assert.equal(await echoed(await client.dial('echo'), 'x'), 'x');
});

test('a Dial that is not for us, without keys, or with an id in use, is refused', { timeout }, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const { accepted } = await joined(on);
  const [router] = on.net.routers;
  const channel = router?.channels.find(({ identity }) => identity === 'host');
  const texts: string[] = [];
  let wake = (): void => {};
  let token = '';
  router?.onFrame((frame) => {
    if (frame.type === EDGE_TYPES.dial && frame.direction === 'to-client') token ||= String(frame.body);
    if (frame.type !== EDGE_TYPES.dialFailed) return;
    texts.push(String(frame.body));
    wake();
  });
  const client = await on.open('client');
  (await client.dial('echo')).destroy();
  const dial = async (headers: Record<number, Uint8Array | number | string>, body = token): Promise<string> => {
    channel?.send(
      EDGE_TYPES.dial,
      { [EDGE_HEADERS.connId]: u32(1), [EDGE_HEADERS.routerProvidedConnId]: u32(2 ** 31 + 99), ...headers },
      body,
    );
    while (texts.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return texts.shift() ?? '';
  };
  const key = { [EDGE_HEADERS.publicKey]: Buffer.alloc(32, 9) };
  assert.equal(await dial(key, 'somebody else'), 'invalid token');
  assert.match(await dial({}), /sent no key/);
  assert.match(await dial({ ...key, [EDGE_HEADERS.cryptoMethod]: 'aes-gcm' }), /sent no key/);
  assert.match(await dial({ [EDGE_HEADERS.publicKey]: Buffer.alloc(32) }), /no shared secret/);
  assert.match(await dial({ ...key, [EDGE_HEADERS.routerProvidedConnId]: u32(accepted.id) }), /in use/);
  assert.match(await dial({ ...key, [EDGE_HEADERS.connId]: u32(4711) }), /nobody listens/);
});

test('a caller that is connected and then sends no keys is not shown to the application', { timeout }, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const host = await on.open('host', { timing: { headerMs: 30 } });
  const client = await on.open('client');
  await host.listen('echo', { onConnection: () => assert.fail('without keys') });
  const [router] = on.net.routers;
  router?.faults.drop(
    ({ type, direction, body }) => direction === 'from-client' && type === EDGE_TYPES.data && body.length === 24,
  );
  await assert.rejects(client.dial('echo', { timeoutMs: 5000 }), coded('host_refused', 'connection_closed'));
  assert.equal(host.status().connections, 0);
});

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
