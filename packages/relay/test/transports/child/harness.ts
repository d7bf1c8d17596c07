// What the child tests share: a scripted server as a child with everything it says collected, ended with the test.
import { LIMITS, type Limits } from '../../../src/limits.ts';
import type { Fault, Message } from '../../../src/message.ts';
import { type ServerScript, scriptedServer, untilNoneWith } from '../../../src/testing/scripted-server.ts';
import type { CloseReason } from '../../../src/transport.ts';
import { type ChildOptions, type ChildTransport, spawnChild } from '../../../src/transports/child/child.ts';
import { safeEnvironment } from '../../../src/transports/child/environment.ts';
import { Watcher } from '../../../src/transports/child/watcher.ts';

interface Answer {
  id?: unknown;
  method?: string;
  result?: {
    content?: { text?: string }[];
    tools?: { name: string }[];
    task?: { taskId: string; status: string };
    [key: string]: unknown;
  };
  error?: { code: number; message: string };
}

export interface Hosted extends AsyncDisposable {
  readonly child: ChildTransport;
  readonly watcher: Watcher;
  readonly marker: string;
  readonly faults: Fault[];
  readonly messages: Message[];
  readonly stderr: string[];
  readonly logged: string[];
  /** How often `closed` was called, and the reason. */
  readonly closings: CloseReason[];
  readonly closed: Promise<CloseReason>;
  /** For `start: false`. */
  begin(): void;
  request(method: string, params?: object): Promise<Answer>;
  /** Calls a tool; the JSON of its one text. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever a tool returned
  call(name: string, args?: object): Promise<any>;
  act(...acts: object[]): Promise<unknown[]>;
}

export interface HostOptions {
  readonly script?: ServerScript;
  readonly command?: string;
  readonly args?: string[];
  readonly marker?: string;
  readonly limits?: Partial<Limits>;
  readonly stop?: ChildOptions['stop'];
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly start?: boolean;
  readonly sandbox?: ChildOptions['sandbox'];
  /** Default: one of its own, closed with the child. */
  readonly watcher?: Watcher;
}

export function host(options: HostOptions = {}): Hosted {
  const server = scriptedServer(options.script);
  const watcher = options.watcher ?? new Watcher();
  const [faults, messages, stderr, logged, closings]: [Fault[], Message[], string[], string[], CloseReason[]] = [
    [],
    [],
    [],
    [],
    [],
  ];
  const waiting = new Map<string, (answer: Answer) => void>();
  const write = (_fields: object, event: string) => void logged.push(event);
  const child = spawnChild({
    name: 'scripted',
    command: options.command ?? server.command,
    args: options.args ?? server.args,
    env: safeEnvironment(process.env, options.env ?? {}),
    limits: { ...LIMITS, ...options.limits },
    log: { debug: write, info: write, warn: write },
    onStderr: (line) => void stderr.push(line),
    stop: options.stop ?? { eofMs: 2000, termMs: 3000 },
    watcher,
    sandbox: options.sandbox,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  child.started.catch(() => {});
  let ids = 0;
  let tell: (reason: CloseReason) => void;
  const closed = new Promise<CloseReason>((resolve) => {
    tell = resolve;
  });

  const hosted: Hosted = {
    child,
    watcher,
    marker: options.marker ?? server.marker,
    faults,
    messages,
    stderr,
    logged,
    closings,
    closed,
    begin: () => start(hosted),
    request(method, params) {
      const id = ++ids;
      const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
      const answer = new Promise<Answer>((resolve) => waiting.set(String(id), resolve));
      child.send({ kind: 'request', id: String(id), method, bytes });
      return answer;
    },
    async call(name, args = {}) {
      const { result, error } = await hosted.request('tools/call', { name, arguments: args });
      if (error !== undefined) throw new Error(error.message);
      return JSON.parse(result?.content?.[0]?.text ?? 'null');
    },
    act: (...acts) => hosted.call('act', { acts }),
    async [Symbol.asyncDispose]() {
      await child.close();
      if (options.watcher === undefined) await watcher.close();
      await untilNoneWith(hosted.marker);
    },
  };
  if (options.start !== false) start(hosted);
  return hosted;

  function start(to: Hosted): void {
    child.start({
      message(message) {
        to.messages.push(message);
        if (message.kind === 'response' && message.id !== undefined) {
          waiting.get(message.id)?.(JSON.parse(message.bytes.toString()));
          waiting.delete(message.id);
        }
      },
      fault: (fault) => void to.faults.push(fault),
      closed(reason) {
        to.closings.push(reason);
        tell(reason);
      },
    });
  }
}
