// Warm pool, circuit and count around real servers.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { LIMITS } from '../../../src/limits.ts';
import {
  processesWith,
  type ServerScript,
  scriptedServer,
  untilNoneWith,
} from '../../../src/testing/scripted-server.ts';
import { createBreaker } from '../../../src/transports/child/breaker.ts';
import type { ChildTransport } from '../../../src/transports/child/child.ts';
import { type ChildCount, Starter } from '../../../src/transports/child/starter.ts';

interface Stage extends AsyncDisposable {
  readonly starter: Starter<string>;
  readonly marker: string;
  readonly children: ChildCount;
  readonly time: { now: number };
  readonly failures: string[];
  /** What the next ones are started with. */
  env: Record<string, string>;
}

function stage(options: { warm?: number; script?: ServerScript; most?: number; oneForAll?: boolean } = {}): Stage {
  const { command, args, marker } = scriptedServer(options.script);
  const time = { now: 0 };
  const children = { count: 0 };
  const failures: string[] = [];
  const staged: Stage = {
    starter: new Starter<string>({
      name: 'backend only',
      breaker: createBreaker({ clock: () => time.now }),
      children,
      most: options.most ?? 512,
      warm: options.warm ?? 0,
      oneForAll: () => options.oneForAll ?? false,
      prepare: async () => {
        const env = { PATH: process.env.PATH ?? '', ...staged.env };
        return { start: { name: 'only', command, args, env, limits: LIMITS }, with: JSON.stringify(staged.env) };
      },
      onFailed: (reason) => void failures.push(reason),
      fillAfterMs: 0,
    }),
    marker,
    children,
    time,
    failures,
    env: {},
    async [Symbol.asyncDispose]() {
      await staged.starter.close();
      await untilNoneWith(marker);
    },
  };
  return staged;
}

/** Resolves when as many spares wait. */
async function untilSpares({ starter }: Stage, count: number): Promise<void> {
  for (const until = performance.now() + 20_000; starter.spares !== count; await delay(10)) {
    assert.ok(performance.now() < until, `${starter.spares} spares instead of ${count}`);
  }
}

/** Answers of a child, in order. */
function talk(child: ChildTransport) {
  const waiting: ((value: unknown) => void)[] = [];
  let closed: (reason: { code: string; reason: string }) => void = () => {};
  const over = new Promise<{ code: string; reason: string }>((resolve) => {
    closed = resolve;
  });
  child.start({
    message: (message) => {
      if (message.kind === 'response') waiting.shift()?.(JSON.parse(message.bytes.toString()));
    },
    fault() {},
    closed,
  });
  const ask = (method: string, params: object): Promise<{ result?: { content: { text: string }[] } }> => {
    const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: waiting.length, method, params }));
    const answer = new Promise((resolve) => waiting.push(resolve));
    child.send({ kind: 'request', id: String(waiting.length - 1), method, bytes });
    return answer as Promise<{ result?: { content: { text: string }[] } }>;
  };
  return {
    over,
    async initialize(name: string) {
      const clientInfo = { name, version: '1' };
      await ask('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo });
    },
    async tool(name: string, args: object = {}) {
      const { result } = await ask('tools/call', { name, arguments: args });
      return JSON.parse(result?.content[0]?.text ?? 'null');
    },
  };
}

test('a spare that waits is given to one caller, who is the first it ever heard; the next gets another', async () => {
  await using staged = stage({ warm: 2 });
  const { starter } = staged;
  starter.warmUp();
  await untilSpares(staged, 2);
  const waiting = processesWith(staged.marker);
  assert.equal(waiting.length, 2);
  const taken = await Promise.all([starter.start(), starter.start(), starter.start()]);
  const pids = taken.map(({ child }) => child.pid ?? 0);
  assert.equal(new Set(pids).size, 3);
  assert.deepEqual(new Set(pids.slice(0, 2)), new Set(waiting), 'two were there before');
  for (const [n, { child }] of taken.entries()) {
    const talking = talk(child);
    await talking.initialize(`caller-${n}`);
    const seen = await talking.tool('seen');
    assert.match(JSON.stringify(seen.client), new RegExp(`caller-${n}`));
    assert.ok(!JSON.stringify(seen).includes(`caller-${(n + 1) % 3}`));
  }
  await untilSpares(staged, 2);
  await Promise.all(taken.map(({ child }) => child.close()));
});

test('a spare of yesterday’s secret is ended, never given: whoever comes gets one with today’s', async () => {
  await using staged = stage({ warm: 1 });
  const [old, fresh] = [randomBytes(8).toString('hex'), randomBytes(8).toString('hex')];
  staged.env = { TOKEN: old };
  staged.starter.warmUp();
  await untilSpares(staged, 1);
  const [spare = 0] = processesWith(staged.marker);
  assert.match(readFileSync(`/proc/${spare}/environ`, 'latin1'), new RegExp(old));
  staged.env = { TOKEN: fresh };
  const { child, with: told } = await staged.starter.start();
  assert.notEqual(child.pid, spare);
  assert.equal(told, JSON.stringify({ TOKEN: fresh }));
  const environ = readFileSync(`/proc/${child.pid}/environ`, 'latin1');
  assert.match(environ, new RegExp(fresh));
  assert.doesNotMatch(environ, new RegExp(old));
  for (const until = performance.now() + 20_000; processesWith(staged.marker).includes(spare); await delay(10)) {
    assert.ok(performance.now() < until, 'the old spare is still there');
  }
  await child.close();
});

test('a server that does not stand waiting is no failure of anybody, and a caller gets a fresh one', async () => {
  await using staged = stage({
    warm: 1,
    script: {
      atStart: [
        { do: 'sleep', ms: 50 },
        { do: 'die', code: 0 },
      ],
    },
  });
  staged.starter.warmUp();
  for (const until = performance.now() + 20_000; staged.failures.length === 0; await delay(10)) {
    assert.ok(performance.now() < until, 'no spare ended');
  }
  assert.equal(staged.starter.spares, 0);
  const { child } = await staged.starter.start();
  assert.match((await talk(child).over).reason, /exited with code 0/);
});

test('five starts that fail are enough: the sixth starts nothing, until one may try and brings it back', async () => {
  const home = await mkdtemp(join(tmpdir(), 'starter-'));
  const ledger = join(home, 'starts');
  const [command, args] = ['/bin/sh', ['-c', `echo x >> ${ledger}; echo "no licence" >&2; exit 3`]];
  const time = { now: 0 };
  const breaker = createBreaker({ clock: () => time.now });
  let fails = true;
  const good = scriptedServer();
  const starter = new Starter<undefined>({
    ...{ name: 'backend only', breaker, children: { count: 0 }, most: 512, oneForAll: () => false },
    prepare: async () => {
      const what = fails ? { command, args } : good;
      const env = { PATH: process.env.PATH ?? '' };
      return { start: { name: 'only', command: what.command, args: what.args, env, limits: LIMITS }, with: undefined };
    },
  });
  const starts = (): number => readFileSync(ledger, 'utf8').length / 2;
  try {
    for (let n = 0; n < 5; n += 1) await talk((await starter.start()).child).over;
    assert.equal(starts(), 5);
    await assert.rejects(starter.start(), /is not started, it failed too often: only exited with code 3: no licence/);
    assert.equal(starts(), 5, 'no process was started');
    time.now += 120_000;
    await talk((await starter.start()).child).over;
    await assert.rejects(starter.start(), /failed too often/);
    assert.equal(starts(), 6, 'one tried');
    time.now += 120_000;
    fails = false;
    const { child } = await starter.start();
    await assert.rejects(starter.start(), /failed too often/);
    await talk(child).initialize('first');
    assert.equal(breaker.state().circuit, 'closed');
    await child.close();
  } finally {
    await starter.close();
    await rm(home, { recursive: true });
  }
});

test('what a session did to its own server opens nothing; a server for all that dies at work does', async () => {
  for (const oneForAll of [false, true]) {
    await using staged = stage({ oneForAll });
    for (let n = 0; n < 5; n += 1) {
      const talking = talk((await staged.starter.start()).child);
      await talking.initialize('x');
      void talking.tool('act', { acts: [{ do: 'die' }] });
      await talking.over;
    }
    if (oneForAll) await assert.rejects(staged.starter.start(), /failed too often/);
    else await (await staged.starter.start()).child.close();
  }
});

test('the cap of all children holds, and spares take no more than half of it', async () => {
  await using staged = stage({ warm: 2, most: 3 });
  const one = await staged.starter.start();
  const two = await staged.starter.start();
  await delay(100);
  assert.equal(staged.starter.spares, 0, 'two of three run: none is kept');
  const three = await staged.starter.start();
  await assert.rejects(staged.starter.start(), /3 servers run already/);
  await Promise.all([one, two, three].map(({ child }) => child.close()));
  assert.equal(staged.children.count, 0);
});

test('after thirty sessions nothing is left but what was there: no process, no count', async () => {
  await using staged = stage({ warm: 1 });
  for (let n = 0; n < 10; n += 1) {
    const taken = await Promise.all([staged.starter.start(), staged.starter.start(), staged.starter.start()]);
    await Promise.all(taken.map(({ child }) => child.close()));
  }
  await untilSpares(staged, 1);
  assert.equal(staged.starter.running, 1);
  await staged.starter.close();
  assert.deepEqual([staged.starter.running, staged.starter.spares, staged.children.count], [0, 0, 0]);
  await untilNoneWith(staged.marker);
});
