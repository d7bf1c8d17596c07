// Finds the gateway that has the share, and gets its word to hand it over.

import { UsageError } from '@mcp-overlay/cli';
import { type AdminTalk, talkTo } from '../admin/client.ts';
import type { Predecessor } from './take-over.ts';

export interface AskOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Only if it is leaving anyway: nobody asked us to replace it. */
  readonly onlyIfLeaving: boolean;
  /** How long its open calls may take. */
  readonly withinMs: number;
  readonly patienceMs: number;
  readonly stop: AbortSignal;
}

/** It has no time to lose: from here on its state folder is ours to read. */
const ANSWER_MS = 10_000;

interface Agreed {
  readonly pid: number;
  readonly up: readonly string[];
  /** Their tokens. */
  readonly shares: readonly string[];
}

/** undefined: nobody runs there, or nobody who leaves. */
export async function askPredecessor(
  token: string | undefined,
  { env, ...options }: AskOptions,
): Promise<Predecessor | undefined> {
  const { onlyIfLeaving } = options;
  if (token === undefined) {
    if (onlyIfLeaving) return undefined;
    throw new UsageError(
      'run --replace: the configuration names no share, and one that is made at each start cannot be taken over',
      'make one with: mcp-tools create NAME; then share: { token: NAME }',
    );
  }
  const talk = await talkTo(token, env);
  if (!talk) return undefined;
  try {
    return await agreed(talk, options);
  } catch (error) {
    talk.end();
    // A host of the share that is older, or frozen: an ordinary start says that the share is taken.
    if (onlyIfLeaving) return undefined;
    throw error;
  }
}

async function agreed(
  talk: AdminTalk,
  { onlyIfLeaving, withinMs, patienceMs, stop }: Omit<AskOptions, 'env'>,
): Promise<Predecessor | undefined> {
  const answer = await talk.ask({ command: 'hand over', onlyIfLeaving }, ANSWER_MS);
  const { stays, pid, up, shares } = answer as Agreed & { readonly stays?: true };
  if (stays) {
    talk.end();
    return undefined;
  }
  return {
    pid,
    up,
    patienceMs,
    stop,
    taken: async () => {
      const { open } = (await talk.ask({ command: 'taken', pid: process.pid, withinMs }, ANSWER_MS)) as {
        open: number;
      };
      talk.end();
      return open;
    },
    agrees: (token) => !talk.over && shares.includes(token),
    giveUp: talk.end,
  };
}
