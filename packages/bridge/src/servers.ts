// The servers of one bridge: all are started alike, so that one circuit and one set of spares is enough for every caller.

import { withoutSecrets } from '@mcp-overlay/cli';
import {
  type Backoff,
  createBackoff,
  createBreaker,
  LIMITS,
  restingServer,
  type Sandbox,
  type SandboxWish,
  Starter,
  type Transport,
  underBreaker,
} from '@mcp-overlay/relay';
import type { BridgeLog } from './log.ts';

export interface ServersOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** All of a server's environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | undefined;
  /** Spares. */
  readonly warm: number;
  /** A server for everybody that nobody used for so long is ended; undefined: it stays. */
  readonly idleMs: number | undefined;
  readonly shared: boolean;
  readonly sandbox: { readonly wish: SandboxWish; readonly of: Sandbox };
  readonly log: BridgeLog;
  /** One process serves everybody, as far as that is known. */
  oneForAll(): boolean;
}

export interface Servers {
  /** One that was not spoken to. */
  open(): Promise<Transport>;
  /** Of one session, under the circuit of all. */
  backoff(): Backoff;
  dropSpares(): void;
  close(): Promise<void>;
}

export function openServers(options: ServersOptions): Servers {
  const { command, args, env, cwd, warm, idleMs, shared: mayForget, sandbox, log, oneForAll } = options;
  const clock = (): number => performance.now();
  const breaker = createBreaker({
    clock,
    onChange: ({ circuit, leftMs, reason }) => {
      const seconds = Math.ceil(leftMs / 1000);
      if (circuit === 'open') log.warn({ reason, seconds }, 'server failed too often, left alone');
      else log.info({}, 'server answered again after it was left alone');
    },
  });
  const start = {
    name: 'server',
    command,
    args,
    env,
    ...(cwd === undefined ? {} : { cwd }),
    limits: LIMITS,
    log,
    onStderr: (line: string) => log.info({ line }, 'stderr'),
    hide: withoutSecrets,
  };
  const starter = new Starter<undefined>({
    name: 'server',
    breaker,
    children: { count: 0 },
    most: LIMITS.children,
    warm,
    oneForAll,
    wantsSpares: () => !oneForAll(),
    prepare: async () => {
      const wrapped = await sandbox.of.wrap(sandbox.wish, start);
      return { start: { ...start, sandbox: wrapped }, with: undefined };
    },
  });
  // Nobody came yet; the first one finds a server that runs.
  starter.warmUp();
  const open = async (): Promise<Transport> => (await starter.start()).child;
  const onAsleep = (asleep: boolean): void =>
    log.info({}, asleep ? 'nobody uses the server, it is ended' : 'the server is started again');
  return {
    open: () => (idleMs === undefined ? open() : restingServer({ name: 'server', open, idleMs, mayForget, onAsleep })),
    backoff: () => underBreaker(createBackoff({ clock, random: Math.random }), breaker, Math.random),
    dropSpares: () => starter.dropSpares(),
    close: () => starter.close(),
  };
}
