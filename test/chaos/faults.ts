// What is done to a town: each fault makes its trouble, notes it, and undoes it. Rows of the fault matrix; when it happens
// (idle, in flight, streaming) is the business of phases.ts.

import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Actor } from './actor.ts';
import type { Scene } from './scene.ts';

const run = promisify(execFile);

export interface Fault {
  readonly name: string;
  /** Who is called before and after; default: the three of every town. */
  readonly servers?: readonly string[];
  /** Longest that it lasts by itself; the soak makes some much longer. */
  make(scene: Scene, longestMs: number): Promise<void>;
}

/** To a server of a session that may have ended by itself meanwhile. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as { code?: string }).code !== 'ESRCH') throw error;
  }
}

const actorsOf = ({ gateway, bridge }: Scene): Record<'gateway' | 'bridge', Actor> => ({ gateway, bridge });

function killed(who: 'gateway' | 'bridge'): Fault {
  return {
    name: `kill -9 of the ${who}`,
    make: (scene) =>
      scene.trouble('kill -9', who, true, async () => {
        await actorsOf(scene)[who].kill();
        await actorsOf(scene)[who].start();
      }),
  };
}

function ended(who: 'gateway' | 'bridge'): Fault {
  return {
    name: `SIGTERM to the ${who}, and its successor`,
    make: (scene) =>
      scene.trouble('SIGTERM', who, true, async () => {
        const code = await actorsOf(scene)[who].end();
        if (code !== 0) throw new Error(`${who} ended with ${code} after SIGTERM`);
        await actorsOf(scene)[who].start();
      }),
  };
}

/** An upgrade: nobody is told anything but answers. */
const replaced: Fault = {
  name: 'run --replace',
  make: ({ gateway }) => gateway.replace(),
};

function frozen(who: 'gateway' | 'bridge'): Fault {
  return {
    name: `freeze of the ${who}`,
    make: (scene, longestMs) =>
      scene.trouble('freeze', who, false, async () => {
        actorsOf(scene)[who].freeze();
        await wait(scene.dice.int(longestMs / 3, longestMs));
        actorsOf(scene)[who].thaw();
      }),
  };
}

const toolsKilled: Fault = {
  name: 'kill -9 of an agent’s program',
  async make(scene) {
    const agent = scene.dice.pick(scene.agents);
    await scene.trouble('kill -9', `tools:${agent.name}`, true, async () => {
      await agent.kill();
      await agent.start();
    });
  },
};

const agentGone: Fault = {
  name: 'an agent that quits in the middle of calls',
  async make(scene) {
    const agent = scene.dice.pick(scene.agents);
    await scene.trouble('quit', `tools:${agent.name}`, true, async () => {
      const calls = (['own', 'far'] as const).map((server) => agent.call({ server, ms: 5000, steps: 20 }));
      await wait(scene.dice.int(0, 100));
      await agent[Symbol.asyncDispose]();
      await Promise.all(calls);
      await agent.start();
    });
  },
};

const toolsFrozen: Fault = {
  name: 'freeze of an agent’s program',
  async make(scene, longestMs) {
    const { pid } = scene.dice.pick(scene.agents).stdio;
    process.kill(pid, 'SIGSTOP');
    await wait(scene.dice.int(longestMs / 3, longestMs));
    process.kill(pid, 'SIGCONT');
  },
};

const slowReader: Fault = {
  name: 'an agent that does not read',
  async make(scene, longestMs) {
    const agent = scene.dice.pick(scene.agents);
    const { stdio } = agent;
    stdio.pause();
    const calls = Array.from({ length: 20 }, () => agent.call({ server: scene.dice.pick(['own', 'far'] as const) }));
    await wait(longestMs / 2);
    stdio.resume();
    await Promise.all(calls);
  },
};

export function serverKilled(server: string): Fault {
  return {
    servers: [server],
    name: `kill -9 of the server ${server}`,
    make: (scene) =>
      scene.trouble('kill -9', server, true, async () => {
        for (const pid of scene.pidsOf(server)) signal(pid, 'SIGKILL');
      }),
  };
}

function serverFrozen(server: string): Fault {
  return {
    name: `freeze of the server ${server}`,
    make: (scene, longestMs) =>
      scene.trouble('freeze', server, false, async () => {
        const pids = scene.pidsOf(server);
        for (const pid of pids) signal(pid, 'SIGSTOP');
        await wait(scene.dice.int(longestMs / 3, longestMs));
        for (const pid of pids) signal(pid, 'SIGCONT');
      }),
  };
}

export const AT_START = ['exit0', 'crash', 'hang-start', 'deaf'] as const;
export const AT_CALLS = ['hang-on-call', 'drip', 'garbage'] as const;
/** Its own death, or the end that its owner makes: who writes without end what is no message is ended. */
export const DEADLY_CALLS = ['crash-on-call', 'flood'] as const;

/** A server that dies and comes back ill, for a while. */
export function illAtStart(server: string, mood: (typeof AT_START)[number]): Fault {
  return {
    servers: [server],
    name: `the server ${server} comes back with ${mood}`,
    make: (scene, longestMs) =>
      scene.trouble(mood, server, true, async () => {
        await scene.mood(server, mood);
        for (const pid of scene.pidsOf(server)) signal(pid, 'SIGKILL');
        const calls = scene.agents.map((agent) => agent.call({ server }));
        await wait(longestMs);
        await scene.settle(['calm']);
        await scene.mood(server, '');
        // Whoever hangs does so until it is ended.
        for (const pid of scene.pidsOf(server)) signal(pid, 'SIGKILL');
        await Promise.all(calls);
      }),
  };
}

/** A server that answers calls badly, for a while. */
export function illAtCalls(server: string, mood: (typeof AT_CALLS | typeof DEADLY_CALLS)[number]): Fault {
  return {
    servers: [server],
    name: `the server ${server} answers with ${mood}`,
    make: (scene) =>
      scene.trouble(
        mood,
        server,
        DEADLY_CALLS.some((deadly) => deadly === mood),
        async () => {
          await scene.mood(server, mood);
          const calls = scene.agents.map((agent) => agent.call({ server }));
          await scene.settle(['calm']);
          await Promise.all(calls);
          await scene.mood(server, '');
        },
      ),
  };
}

/** RLIMIT_FSIZE is felt as a full disk is: no byte more into any file. Only the gateway's own process has it. */
const diskFull: Fault = {
  name: 'no byte more fits into the audit log',
  make: (scene, longestMs) =>
    scene.trouble('disk full', 'gateway', false, async () => {
      const { pid } = scene.gateway;
      await run('prlimit', ['--pid', String(pid), '--fsize=4096:']);
      const calls = scene.agents.flatMap((agent) => [agent.call({ server: 'own' }), agent.call({ server: 'far' })]);
      await wait(longestMs / 2);
      for (const { outcome, nonce, told } of await Promise.all(calls)) {
        if (outcome !== 'refused')
          throw new Error(`${nonce} was told ${outcome} while nothing could be recorded: ${told}`);
      }
      await run('prlimit', ['--pid', String(pid), '--fsize=unlimited:']);
    }),
};

const noDescriptors: Fault = {
  name: 'the gateway has no descriptor left',
  make: (scene, longestMs) =>
    scene.trouble('EMFILE', 'gateway', false, async () => {
      const { pid } = scene.gateway;
      const open = (await readdir(`/proc/${pid}/fd`)).map(Number);
      const { stdout } = await run('prlimit', ['--pid', String(pid), '--nofile', '--output=SOFT', '--noheadings']);
      await run('prlimit', ['--pid', String(pid), `--nofile=${Math.max(...open) + 1}:`]);
      // Who is there goes on; who comes waits, or is told.
      await scene.settle(['own', 'far']);
      await wait(longestMs / 2);
      await run('prlimit', ['--pid', String(pid), `--nofile=${stdout.trim()}:`]);
    }),
};

const secondGateway: Fault = {
  name: 'a second gateway on the same share and log',
  async make(scene) {
    const answer = await scene.second();
    if (answer.code === 0 || !/share_in_use/.test(answer.stderr)) {
      throw new Error(`a second gateway: ${answer.code} ${answer.stderr}`);
    }
  },
};

/** Written in place, and only half of it, as some editors do; then all of it again. */
const brokenConfiguration: Fault = {
  name: 'half a configuration',
  async make(scene) {
    const whole = await readFile(scene.config, 'utf8');
    await writeFile(scene.config, whole.slice(0, scene.dice.int(1, whole.length - 1)));
    const refused = await scene.reload();
    if (refused.code === 0) throw new Error(`half a configuration is taken: ${refused.stdout}`);
    await scene.settle();
    await writeFile(scene.config, whole);
    const taken = await scene.reload();
    if (taken.code !== 0) throw new Error(`a reload: ${taken.code} ${taken.stderr}`);
  },
};

export function ways(troubles: Scene['ground']['troubles']): Fault[] {
  return Object.entries(troubles).map(([name, make]) => ({ name, make: () => make() }));
}

export const KILLS: readonly Fault[] = [killed('gateway'), killed('bridge')];
export const AGENTS: readonly Fault[] = [toolsKilled, agentGone, toolsFrozen];
export const POLITE: readonly Fault[] = [ended('gateway'), ended('bridge'), replaced];
export const FREEZES: readonly Fault[] = [
  frozen('gateway'),
  frozen('bridge'),
  toolsFrozen,
  serverFrozen('own'),
  serverFrozen('far'),
];
export const MACHINE: readonly Fault[] = [diskFull, noDescriptors, secondGateway, slowReader, brokenConfiguration];
