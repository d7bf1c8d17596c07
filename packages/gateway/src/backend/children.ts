// The stdio servers of one backend: started with the credentials of one seat, kept warm where the configuration says so, left
// alone when they fail too often. What `status` tells of them is counted here over all seats.

import { OutputFilter } from '@mcp-overlay/cli';
import type { BackendConfig, StdioConfig } from '@mcp-overlay/config';
import {
  type Backoff,
  type Breaker,
  type BreakerState,
  createBreaker,
  lastLines,
  restingServer,
  Starter,
  safeEnvironment,
  type Transport,
  underBreaker,
} from '@mcp-overlay/relay';
import type { Seat } from './credentials.ts';
import { withoutEchoes } from './echoes.ts';
import type { BackendSurroundings } from './surroundings.ts';

/** Circuits of seats that are remembered; the oldest is forgotten, and closed when it comes back. */
const MAX_CIRCUITS = 1024;
const SHOWN_LINES = 5;

export interface ServersState {
  readonly running: number;
  readonly spare: number;
  /** Ended because nobody uses them; the next request starts them again. */
  readonly asleep: number;
  /** The worst of all seats. */
  readonly circuit: BreakerState['circuit'];
  readonly failures: number;
  /** While it is open: seconds until one start is tried. */
  readonly retrySeconds: number | undefined;
  /** The last lines on stderr of the server that failed last. */
  readonly stderr: readonly string[];
}

export interface ChildrenOptions {
  readonly config: Pick<BackendConfig, 'id' | 'warm' | 'idleMs' | 'shared' | 'sandbox' | 'connectTimeoutMs'>;
  readonly transport: StdioConfig;
  readonly around: BackendSurroundings;
  /** One process serves everybody, as far as that is known. */
  oneForAll(): boolean;
}

/** Those of one seat. */
export interface SeatServers {
  open(): Promise<Transport>;
  dropSpares(): void;
  close(): Promise<void>;
}

export class BackendChildren {
  readonly #options: ChildrenOptions;
  readonly #breakers = new Map<string, Breaker>();
  readonly #starters = new Set<Starter<OutputFilter>>();
  readonly #woken = new Set<() => void>();
  #stderr: readonly string[] = [];
  #asleep = 0;

  constructor(options: ChildrenOptions) {
    this.#options = options;
  }

  /** A session's back-off under the circuit of its seat. */
  backoff(seat: string, own: Backoff): Backoff {
    return underBreaker(own, this.#breaker(seat), Math.random);
  }

  servers(seat: Seat): SeatServers {
    const { config, around, oneForAll } = this.#options;
    const { id, warm } = config;
    const starter = new Starter<OutputFilter>({
      name: `backend ${id}`,
      breaker: this.#breaker(seat.key),
      children: around.children,
      most: around.limits.children,
      warm,
      oneForAll,
      wantsSpares: () => !oneForAll() && (around.mayWarm?.() ?? true),
      prepare: () => this.#prepare(seat),
      onFailed: (_reason, stderr) => {
        this.#stderr = lastLines(stderr, SHOWN_LINES);
      },
    });
    this.#starters.add(starter);
    return {
      open: () =>
        this.#mayRest(async () => {
          const { child, with: echoes } = await starter.start();
          return withoutEchoes(child, { id, echoes, around });
        }),
      dropSpares: () => starter.dropSpares(),
      close: async () => {
        this.#starters.delete(starter);
        await starter.close();
      },
    };
  }

  /** A server that slept is another one now. */
  onWoken(listener: () => void): () => void {
    this.#woken.add(listener);
    return () => this.#woken.delete(listener);
  }

  state(): ServersState {
    const states = [...this.#breakers.values()].map((breaker) => breaker.state());
    const worst =
      states.find(({ circuit }) => circuit === 'open') ?? states.find(({ circuit }) => circuit !== 'closed');
    const sum = (of: (starter: Starter<OutputFilter>) => number): number =>
      [...this.#starters].reduce((total, starter) => total + of(starter), 0);
    return {
      running: sum(({ running }) => running),
      spare: sum(({ spares }) => spares),
      asleep: this.#asleep,
      circuit: worst?.circuit ?? 'closed',
      failures: Math.max(0, ...states.map(({ failures }) => failures)),
      retrySeconds: worst?.circuit === 'open' ? Math.ceil(worst.leftMs / 1000) : undefined,
      stderr: this.#stderr,
    };
  }

  #mayRest(open: () => Promise<Transport>): Promise<Transport> {
    const { config, around } = this.#options;
    const { id, idleMs, shared: mayForget = false, connectTimeoutMs: wakeMs = around.connectTimeoutMs } = config;
    if (idleMs === undefined) return open();
    let sleeps = false;
    const count = (asleep: boolean): void => {
      this.#asleep += Number(asleep) - Number(sleeps);
      sleeps = asleep;
    };
    const onAsleep = (asleep: boolean): void => {
      count(asleep);
      around.log.info({ backend: id }, asleep ? 'nobody uses the server, it is ended' : 'the server is started again');
      if (!asleep) for (const listener of this.#woken) listener();
    };
    return restingServer({
      ...{ name: `backend ${id}`, open, idleMs, mayForget, wakeMs, onAsleep },
      onOver: () => count(false),
    });
  }

  async #prepare(seat: Seat) {
    const { config, transport, around } = this.#options;
    const { id, sandbox: wish = 'none' } = config;
    const echoes = new OutputFilter();
    const declared = await seat.env((secret) => echoes.hide(secret));
    const start = {
      name: id,
      command: transport.command,
      args: transport.args,
      env: safeEnvironment(around.env, declared, transport.envPass),
      ...(transport.cwd === undefined ? {} : { cwd: transport.cwd }),
      limits: around.limits,
      log: around.log,
      onStderr: (line: string) => around.log.info({ backend: id, line }, 'stderr'),
      hide: (text: string) => around.hide(text),
    };
    const sandbox = await around.sandbox.wrap(wish, start);
    return { start: { ...start, sandbox }, with: echoes };
  }

  #breaker(seat: string): Breaker {
    const known = this.#breakers.get(seat);
    if (known) return known;
    const { config, around } = this.#options;
    const breaker = createBreaker({
      clock: () => performance.now(),
      onChange: ({ circuit, leftMs, reason }) => {
        const [backend, seconds] = [config.id, Math.ceil(leftMs / 1000)];
        if (circuit === 'open') around.log.warn({ backend, reason, seconds }, 'server failed too often, left alone');
        else around.log.info({ backend }, 'server answered again after it was left alone');
      },
    });
    this.#breakers.set(seat, breaker);
    const [oldest] = this.#breakers.keys();
    if (this.#breakers.size > MAX_CIRCUITS && oldest !== undefined) this.#breakers.delete(oldest);
    return breaker;
  }
}
