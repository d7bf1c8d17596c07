// What a dial comes to: found, not found, refused, silent, late, given up; and what is tried again.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { EDGE_HEADERS, EDGE_TYPES } from '../../src/edge/ids.ts';
import { LIMITS } from '../../src/limits.ts';
import type { TestNetwork } from '../../src/testing/index.ts';
import { coded, everything, over } from '../streams.ts';
import { echo, echoed, joined, onNetwork } from './network.ts';

const timeout = 30_000;

/** Frames of a type that clients sent so far. */
function countFrames(net: TestNetwork, type: number): () => number {
  let count = 0;
  for (const router of net.routers) {
    router.onFrame((frame) => {
      if (frame.direction === 'from-client' && frame.type === type) count += 1;
    });
  }
  return () => count;
}

const sessionsMade = ({ controllers }: TestNetwork): number =>
  controllers
    .flatMap(({ requests }) => requests)
    .filter(({ method, path }) => method === 'POST' && /\/sessions$/.test(path)).length;

test('a service that is not there, may not be dialled, or is not hosted', async () => {
  await using on = await onNetwork();
  on.net.addService('locked', { dial: [] });
  on.net.addService('lonely');
  const client = await on.open('client');
  const connects = countFrames(on.net, EDGE_TYPES.connect);
  await assert.rejects(client.dial('nothing'), coded('service_not_found'));
  await assert.rejects(client.dial('locked'), coded('service_not_found', 'service_not_permitted'));
  assert.equal(connects(), 0);
  await assert.rejects(client.dial('lonely'), (error) => {
    assert.ok(coded('service_not_hosted')(error), String(error));
    assert.match(String(error), /router-1.*lonely.*no terminators/);
    return true;
  });
  assert.equal(connects(), 1, 'what cannot help is not tried again');
});

test('one who may host and not dial is told so', async () => {
  await using on = await onNetwork();
  on.net.addService('echo', { dial: [], bind: ['client'] });
  const client = await on.open('client');
  await assert.rejects(client.dial('echo'), coded('service_not_permitted'));
});

test('a host that refuses: its words are in the error, and it is not asked again by us', async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const host = await on.open('host');
  const client = await on.open('client');
  const asked: (string | undefined)[] = [];
  await host.listen('echo', {
    onConnection: () => assert.fail('it was refused'),
    admit: (caller) => {
      asked.push(caller.claimed);
      return 'closed on Sundays';
    },
  });
  await assert.rejects(client.dial('echo'), (error) => {
    assert.ok(coded('host_refused')(error), String(error));
    assert.match(String(error), /closed on Sundays/);
    return true;
  });
  assert.deepEqual(asked, ['client', 'client'], 'the network asks twice');
  assert.equal(host.status().connections, 0);
});

test('a host that says nothing', { timeout }, async () => {
  await using on = await onNetwork({ timing: { dialMs: 50 } });
  on.net.addService('echo');
  const { client } = await joined(on);
  const [router] = on.net.routers;
  router?.faults.drop(({ direction, type }) => direction === 'from-client' && type === EDGE_TYPES.dialSuccess);
  await assert.rejects(client.dial('echo'), coded('host_silent'));
});

test('a router that does not answer', { timeout }, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const { client } = await joined(on);
  on.net.routers[0]?.setDialRule('silent');
  await assert.rejects(client.dial('echo', { timeoutMs: 50 }), (error) => {
    assert.ok(coded('dial_timeout')(error), String(error));
    assert.match(String(error), /no answer of router router-1/);
    return true;
  });
});

test('a host that accepts and closes at once', { timeout }, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const host = await on.open('host');
  const client = await on.open('client');
  await host.listen('echo', { onConnection: (connection) => connection.close('at once') });
  const connection = await client.dial('echo');
  assert.equal((await everything(connection)).length, 0);
  assert.equal(await over(connection), undefined);
  await on.net.until(() => on.net.circuits.length === 0);
});

test('a time limit and a caller that gives up, and what comes too late is closed', { timeout }, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const { client } = await joined(on);
  const [router] = on.net.routers;
  const dialling = on.net.circuits.length;
  router?.faults.delay(300);
  await assert.rejects(client.dial('echo', { timeoutMs: 50 }), (error) => {
    assert.ok(coded('dial_timeout')(error), String(error));
    assert.match(String(error), /50 ms.*no answer of router router-1/);
    return true;
  });
  const caller = new AbortController();
  const given = client.dial('echo', { signal: caller.signal });
  setTimeout(() => caller.abort(), 50);
  await assert.rejects(given, coded('aborted'));
  await assert.rejects(client.dial('echo', { signal: AbortSignal.abort() }), coded('aborted'));
  router?.faults.clear();
  await on.net.until(() => on.net.circuits.length === dialling);
  assert.equal(client.status().connections, 1);
});

test('the signal of a dial is about dialling, not about the connection', async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const { client, accepted } = await joined(on);
  accepted.destroy();
  const caller = new AbortController();
  const host = await on.open('second');
  await host.listen('echo', { onConnection: echo });
  const connection = await client.dial('echo', { signal: caller.signal });
  caller.abort();
  assert.equal(connection.destroyed, false);
});

test('a session that is gone is made anew, once, and nobody notices', async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const host = await on.open('host');
  const client = await on.open('client');
  await host.listen('echo', { onConnection: echo });
  const first = await client.dial('echo');
  const made = sessionsMade(on.net);
  await client.dial('echo');
  assert.equal(sessionsMade(on.net), made, 'the session is kept');
  const lost = over(first);
  on.net.deleteServiceSessions({ identity: 'client' });
  assert.ok(coded('connection_lost')(await lost));
  const again = await client.dial('echo');
  assert.equal(await echoed(again, 'hello'), 'hello');
  assert.equal(sessionsMade(on.net), made + 1);
});

test('a login that is gone is made anew, and the dial goes through', async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const host = await on.open('host');
  const client = await on.open('client');
  await host.listen('echo', { onConnection: echo });
  await client.dial('echo');
  on.net.expireApiSessions('client');
  const again = await client.dial('echo');
  assert.equal(await echoed(again, 'hello'), 'hello');
});

test('a right that was taken away ends what is open, and the next dial says so', async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const { client, dialled } = await joined(on);
  on.net.setPermissions('echo', { dial: ['host'] });
  assert.ok(coded('connection_lost')(await over(dialled)));
  await assert.rejects(client.dial('echo'), coded('service_not_permitted'));
});

test('an identity that was removed', { timeout }, async () => {
  await using on = await onNetwork({ timing: { badTokenMs: 50 } });
  on.net.addService('echo');
  const { client, dialled } = await joined(on);
  on.net.removeIdentity('client');
  assert.ok(coded('connection_lost')(await over(dialled)));
  await assert.rejects(client.dial('echo'), coded('login_refused'));
});

test('an instance is reached by its name only', async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const host = await on.open('host');
  const client = await on.open('client');
  await host.listen('echo', { onConnection: echo, instance: 'left' });
  const left = await client.dial('echo', { instance: 'left' });
  assert.equal(await echoed(left, 'l'), 'l');
  await assert.rejects(client.dial('echo', { instance: 'right' }), coded('service_not_hosted'));
  await assert.rejects(client.dial('echo'), coded('service_not_hosted'));
});

test('application data has a cap, and below it arrives whole', async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const { client, accepted } = await joined(on);
  accepted.destroy();
  const tooMuch = Buffer.alloc(LIMITS.appDataBytes + 1);
  await assert.rejects(client.dial('echo', { appData: tooMuch }), coded('app_data_too_large'));
  const connection = await client.dial('echo', { appData: Buffer.alloc(LIMITS.appDataBytes, 7) });
  connection.destroy();
});

test('a service that became encrypted since we asked', async () => {
  await using on = await onNetwork();
  on.net.addService('echo', { encryption: false });
  const { client, host, listener, dialled } = await joined(on);
  dialled.destroy();
  await listener.close();
  on.net.removeService('echo');
  on.net.addService('echo');
  await host.listen('echo', { onConnection: echo });
  const connection = await client.dial('echo');
  assert.equal(connection.binding?.length, 32);
  assert.equal(await echoed(connection, 'secret'), 'secret');
});

test("a router that takes the host's key away, or says that it does another flow control, is not believed", async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const { client } = await joined(on);
  const [router] = on.net.routers;
  const answerWith = (change: Record<number, Uint8Array | boolean>): void => {
    router?.faults.drop((frame) => {
      if (frame.direction !== 'to-client' || frame.type !== EDGE_TYPES.stateConnected) return false;
      const connId = frame.headers.get(EDGE_HEADERS.connId) ?? Buffer.alloc(4);
      const replyFor = frame.headers.get(1) ?? Buffer.alloc(4);
      setImmediate(() => {
        router.faults.clear();
        frame.channel.send(EDGE_TYPES.stateConnected, { 1: replyFor, [EDGE_HEADERS.connId]: connId, ...change });
      });
      return true;
    });
  };
  answerWith({});
  await assert.rejects(client.dial('echo'), coded('encryption_mismatch'));
  answerWith({ [EDGE_HEADERS.publicKey]: Buffer.alloc(32) });
  await assert.rejects(client.dial('echo'), coded('crypto_key_invalid'));
  answerWith({ [EDGE_HEADERS.useXgressToSdk]: true });
  await assert.rejects(client.dial('echo'), coded('connection_violation'));
  await on.net.until(() => on.net.circuits.length === 1);
});

test('a refusal that does not name the request counts, whether or not the one that does follows', {
  timeout,
}, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const { client, dialled } = await joined(on);
  const [router] = on.net.routers;
  for (const follows of [true, false]) {
    // As a router does after a right was taken away: first without ReplyFor, then with it.
    router?.faults.drop((frame) => {
      if (frame.direction !== 'to-client' || frame.type !== EDGE_TYPES.stateConnected) return false;
      const connId = { [EDGE_HEADERS.connId]: frame.headers.get(EDGE_HEADERS.connId) ?? Buffer.alloc(4) };
      const replyFor = { 1: frame.headers.get(1) ?? Buffer.alloc(4) };
      router.faults.clear();
      setImmediate(() => {
        frame.channel.send(EDGE_TYPES.stateClosed, connId, 'session closed');
        if (follows) frame.channel.send(EDGE_TYPES.stateClosed, { ...replyFor, ...connId }, 'invalid session');
      });
      return true;
    });
    const second = await client.dial('echo');
    second.destroy();
    assert.equal(dialled.destroyed, false);
  }
});

test('what overtakes the answer is kept for the connection, up to a cap', { timeout }, async () => {
  await using on = await onNetwork();
  on.net.addService('echo');
  const host = await on.open('host');
  const client = await on.open('client');
  await host.listen('echo', {
    onConnection: (connection) => {
      connection.write('first words');
      echo(connection);
    },
  });
  const [router] = on.net.routers;
  /** Holds the answer back until so many frames of the host have passed it. */
  const overtake = (frames: number, extra: number): void => {
    let held: (() => void) | undefined;
    let passed = 0;
    router?.faults.drop((frame) => {
      if (frame.direction !== 'to-client' || frame.channel.identity !== 'client') return false;
      const connId = frame.headers.get(EDGE_HEADERS.connId) ?? Buffer.alloc(4);
      if (frame.type === EDGE_TYPES.stateConnected && !held) {
        const headers = Object.fromEntries(frame.headers);
        held = () => frame.channel.send(EDGE_TYPES.stateConnected, headers);
        for (let n = 0; n < extra; n += 1) {
          setImmediate(() => frame.channel.send(EDGE_TYPES.data, { [EDGE_HEADERS.connId]: connId }, 'x'));
        }
        return true;
      }
      if (frame.type === EDGE_TYPES.data) passed += 1;
      if (passed === frames && frame.type === EDGE_TYPES.data) setImmediate(() => held?.());
      return false;
    });
  };
  overtake(1, 0);
  const connection = await client.dial('echo');
  await once(connection, 'readable');
  assert.equal(String(connection.read()), 'first words');
  overtake(1e9, LIMITS.earlyFrames + 1);
  await assert.rejects(client.dial('echo'), coded('connection_violation'));
});

test('a closed context dials nothing', async () => {
  await using on = await onNetwork();
  const client = await on.open('client');
  await client.close();
  await assert.rejects(client.dial('echo'), coded('context_closed'));
  await assert.rejects(client.listen('echo', { onConnection: echo }), coded('context_closed'));
  await assert.rejects(client.services(), coded('context_closed'));
});
