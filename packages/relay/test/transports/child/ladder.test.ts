// The end of children that do not want to end. Linux sees every process; elsewhere there is only the group.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, test } from 'node:test';
import { processesWith, untilNoneWith } from '../../../src/testing/scripted-server.ts';
import { Watcher } from '../../../src/transports/child/watcher.ts';
import { host } from './harness.ts';

const QUICK = { eofMs: 100, termMs: 200 };

// Side by side: each one mostly waits.
describe('stop ladder', { concurrency: 5 }, () => {
  test('T24: a child that ignores end of input gets SIGTERM, and one that ignores that too gets SIGKILL', async () => {
    await using deafToEof = host({ script: { ignoreEof: true }, stop: QUICK });
    await deafToEof.call('echo');
    await deafToEof.child.close();
    assert.deepEqual(await deafToEof.child.exited, { code: null, signal: 'SIGTERM' });

    await using deaf = host({ script: { ignoreEof: true, ignoreSigterm: true }, stop: QUICK });
    await deaf.call('echo');
    await deaf.child.close();
    assert.deepEqual(await deaf.child.exited, { code: null, signal: 'SIGKILL' });
    assert.deepEqual(processesWith(deaf.marker), []);
  });

  test('T24: a deaf child with deaf grandchildren is gone in less than 8 s with the default patience', async () => {
    await using server = host({ script: { ignoreEof: true, ignoreSigterm: true } });
    await server.act({ do: 'spawn', via: 'sh-setsid', deaf: true }, { do: 'spawn', deaf: true, keepsOutput: true });
    const before = performance.now();
    await server.child.close();
    assert.ok(performance.now() - before < 8000);
    assert.deepEqual(processesWith(server.marker), []);
  });

  for (const via of ['direct', 'sh', 'setsid', 'sh-setsid']) {
    for (const clean of [false, true]) {
      test(`grandchildren go with their child: via ${via}, environment ${clean ? 'wiped' : 'inherited'}`, async () => {
        await using server = host({ stop: QUICK });
        const [pid] = await server.act({ do: 'spawn', via, deaf: true, clean, keepsOutput: true });
        assert.ok(processesWith(server.marker).includes(Number(pid)));
        await server.child.close();
        assert.deepEqual(processesWith(server.marker), []);
      });
    }
  }

  for (const how of [{ code: 0 }, { signal: 'SIGKILL' }]) {
    for (const via of ['direct', 'sh', 'setsid', 'sh-setsid']) {
      test(`grandchildren go when their parent ${JSON.stringify(how)} dies by itself: via ${via}`, async () => {
        await using server = host();
        await server.act({ do: 'spawn', via, deaf: true, keepsOutput: true });
        void server.act({ do: 'die', ...how });
        assert.equal((await server.closed).code, 'child_exited');
        await untilNoneWith(server.marker, 0);
      });
    }
  }

  test('a child that never reads its input is ended, however much is queued towards it', async () => {
    await using server = host({ script: { neverReads: true }, stop: QUICK });
    const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', method: 'x', params: 'y'.repeat(1024 * 1024) }));
    for (let n = 0; n < 8; n += 1) server.child.send({ kind: 'notification', id: undefined, method: 'x', bytes });
    await server.child.close();
    assert.deepEqual(processesWith(server.marker), []);
  });

  test('a child that is busy for ever is ended', async () => {
    await using server = host({ stop: QUICK });
    await server.call('echo');
    void server.act({ do: 'block' });
    await server.child.close();
    assert.deepEqual(processesWith(server.marker), []);
  });

  test('a stopped child (SIGSTOP) is ended', async () => {
    await using server = host({ stop: QUICK });
    await server.call('echo');
    process.kill(server.child.pid ?? Number.NaN, 'SIGSTOP');
    await server.child.close();
    assert.deepEqual(processesWith(server.marker), []);
  });

  test('one child ended leaves its neighbours under the same watcher alone', async () => {
    await using watcher = owned();
    await using server = host({ stop: QUICK, watcher: watcher.it });
    await using neighbour = host({ stop: QUICK, watcher: watcher.it });
    await neighbour.act({ do: 'spawn', via: 'setsid' });
    await server.act({ do: 'spawn', via: 'setsid', deaf: true });
    await server.child.close();
    assert.equal(processesWith(neighbour.marker).length, 2);
    assert.equal((await neighbour.call('echo', { nonce: 1 })).nonce, 1);
  });

  test('sixty children with grandchildren end side by side and none is left', async () => {
    await using watcher = owned();
    // Small shells: what is tested is the ladder and the scans it shares.
    const servers = Array.from({ length: 60 }, () => {
      const marker = `${process.pid}${randomInt(1e9)}`;
      const script = `trap '' TERM; sleep 1000.${marker} & setsid sleep 1000.${marker} & cat >&2; wait`;
      return host({ command: '/bin/sh', args: ['-c', script], marker, stop: QUICK, watcher: watcher.it });
    });
    await Promise.all(servers.map((server) => server.child.close()));
    for (const server of servers) {
      assert.deepEqual(processesWith(server.marker), []);
      assert.equal(server.closings.length, 1);
    }
  });
});

function owned(): AsyncDisposable & { it: Watcher } {
  const it = new Watcher();
  return { it, [Symbol.asyncDispose]: () => it.close() };
}
