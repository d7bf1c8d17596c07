// What the ledger of calls costs: `node --import tsx bench/once.ts CALLS [FOLDER]`. CPU of one call (user and system) at a
// server that answers at once, with the ledger and without, by size of the answer; and calls a second with 64 callers when
// every start and outcome is on the disk first. Best of the rounds, for the machine may be busy; the median beside it.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Ledger,
  type Message,
  OnceSession,
  requestMessage,
  resultMessage,
  type Transport,
} from '../packages/relay/src/index.ts';

const CALLERS = 64;
const ROUNDS = 9;
const [calls = 20_000, base = tmpdir()] = [Number(process.argv[2] ?? 20_000), process.argv[3]];

const args = { owner: 'acme', repo: 'website', title: 'The door is open', body: 'It should be closed. '.repeat(8) };

/** Answers in the next turn. */
function instantServer(result: object): Transport {
  let tell: (message: Message) => void = () => {};
  return {
    start: (handlers) => {
      tell = (message) => handlers.message(message);
    },
    send: (message) => {
      const answer = resultMessage(message.id ?? '', result);
      setImmediate(() => tell(answer));
      return true;
    },
    drained: () => Promise.resolve(),
    pause: () => {},
    resume: () => {},
    close: () => Promise.resolve(),
  };
}

async function load(server: Transport, count: number, keyed: boolean): Promise<void> {
  let next = 0;
  let answered = 0;
  await new Promise<void>((resolve) => {
    const ask = (): void => {
      if (next >= count) return;
      next += 1;
      server.send(
        requestMessage(String(next), 'tools/call', { name: 'create_issue', arguments: args }, keyed ? next : undefined),
      );
    };
    server.start({
      message: () => {
        answered += 1;
        if (answered === count) resolve();
        else ask();
      },
      fault: () => {},
      closed: () => {},
    });
    for (let caller = 0; caller < CALLERS; caller += 1) ask();
  });
}

interface Sample {
  readonly cpuUs: number;
  readonly perSecond: number;
}

async function sample(server: Transport, count: number, keyed: boolean): Promise<Sample> {
  const cpu = process.cpuUsage();
  const since = performance.now();
  await load(server, count, keyed);
  const { user, system } = process.cpuUsage(cpu);
  return { cpuUs: (user + system) / count, perSecond: count / ((performance.now() - since) / 1000) };
}

async function withLedger(count: number, bytes: number, durability: 'os' | 'commit'): Promise<Sample> {
  const folder = mkdtempSync(join(base, 'once-bench-'));
  const ledger = await Ledger.open({ folder: join(folder, 'ledger'), durability });
  try {
    const server = instantServer({ text: 'r'.repeat(bytes) });
    return await sample(new OnceSession({ server, ledger, session: 'ab'.repeat(16), name: 'bench' }), count, true);
  } finally {
    await ledger.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function tell(name: string, values: readonly number[], better: 'less' | 'more', unit: string): void {
  const sorted = [...values].sort((a, b) => a - b);
  const best = better === 'less' ? sorted[0] : sorted.at(-1);
  const middle = sorted[Math.floor(sorted.length / 2)];
  process.stdout.write(
    `${name.padEnd(58)} ${(best ?? 0).toFixed(1).padStart(9)}  ${(middle ?? 0).toFixed(1).padStart(9)} ${unit}\n`,
  );
}

process.stdout.write(`${''.padEnd(58)}      best     median\n`);
for (const bytes of [200, 4096, 65_536]) {
  const count = Math.max(200, Math.round(calls / Math.max(1, bytes / 4096)));
  const added: number[] = [];
  const whole: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const bare = await sample(instantServer({ text: 'r'.repeat(bytes) }), count, false);
    const kept = await withLedger(count, bytes, 'os');
    whole.push(kept.cpuUs);
    added.push(kept.cpuUs - bare.cpuUs);
  }
  tell(`CPU that the ledger adds to a call, answer of ${bytes} bytes`, added, 'less', 'µs');
  tell(`  of it all, with the server of the bench`, whole, 'less', 'µs');
}
const durable: Sample[] = [];
for (let round = 0; round < ROUNDS; round += 1) durable.push(await withLedger(calls, 800, 'commit'));
tell(
  'calls a second, 64 callers, commit',
  durable.map(({ perSecond }) => perSecond),
  'more',
  '/s',
);
tell(
  '  CPU of one',
  durable.map(({ cpuUs }) => cpuUs),
  'less',
  'µs',
);
