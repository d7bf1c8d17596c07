// An MCP server for tests, of this revision's every part (2025-11-25) and of every bad habit we know of: a real program
// for plain `node`, without any SDK. `scriptedServer(script)` gives the command; what it can do stands in the types here.
// Tools of every such server, whatever the script: see ./scripted-server/catalog.mjs. `act` performs any Act at will.

import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export type Garbage =
  /** A line of plain text. */
  | 'non_json'
  /** The first half of a message, then a newline. */
  | 'partial_json'
  /** JSON, but no JSON-RPC. */
  | 'not_json_rpc'
  | 'batch'
  /** 10,000 levels of nesting. */
  | 'deep'
  | 'invalid_utf8'
  /** Valid notifications that begin with a byte order mark, end with CRLF, hold a NUL. */
  | 'bom'
  | 'crlf'
  | 'nul'
  /** A reply to an id that was never asked, as text and as number. */
  | 'unknown_id'
  /** Within a call: a reply under another id first; the same reply twice; a reply whose id changed its JSON type. */
  | 'wrong_id'
  | 'duplicate_reply'
  | 'retyped_id'
  /** Within a call: a ping of ours that uses the very id of the client's open request. */
  | 'client_like_request'
  /** One line of `bytes` (default 1 MiB): no JSON, or (`json: true`) a reply to the open call. */
  | 'huge_line';

export type Act =
  | { readonly do: 'garbage'; readonly kind: Garbage; readonly bytes?: number; readonly json?: boolean }
  /** A line as it is; `end: ''` leaves it unfinished. */
  | { readonly do: 'print'; readonly text: string; readonly stream?: 'stdout' | 'stderr'; readonly end?: string }
  | { readonly do: 'raw'; readonly base64: string }
  /** So many lines (0: for ever), of text or as log messages (`mcp`). */
  | {
      readonly do: 'flood';
      readonly stream?: 'stdout' | 'stderr';
      readonly lines: number;
      readonly text?: string;
      readonly mcp?: boolean;
    }
  | {
      readonly do: 'spawn';
      /** How the grandchild is started; `sh` stands between, `setsid` takes it out of our group. */
      readonly via?: 'direct' | 'sh' | 'setsid' | 'sh-setsid';
      /** Ignores SIGTERM, SIGHUP and SIGINT. */
      readonly deaf?: boolean;
      /** Holds our stdout and stderr open. */
      readonly keepsOutput?: boolean;
      /** Starts with an empty environment. */
      readonly clean?: boolean;
    }
  | { readonly do: 'die'; readonly code?: number; readonly signal?: string; readonly stderr?: string }
  | { readonly do: 'sleep'; readonly ms: number }
  /** Never goes on; the server still answers others. */
  | { readonly do: 'hang' }
  /** Busy for ever: answers nobody. */
  | { readonly do: 'block' }
  | { readonly do: 'close_stdin' }
  | { readonly do: 'close_stdout' }
  | { readonly do: 'notify'; readonly method: string; readonly params?: object }
  /** A request to the client; the answer is in the tool's result. */
  | { readonly do: 'ask'; readonly method: string; readonly params?: object }
  | { readonly do: 'log'; readonly level?: string; readonly count?: number; readonly data?: unknown }
  | { readonly do: 'progress'; readonly steps: number; readonly everyMs?: number }
  /** Adds and removes tools by name and says so, unless `silent`. */
  | {
      readonly do: 'tools';
      readonly add?: readonly string[];
      readonly remove?: readonly string[];
      readonly silent?: boolean;
    }
  /** Changes a resource; its subscribers are told. */
  | { readonly do: 'update'; readonly uri: string };

export interface ServerScript {
  /** serverInfo.name. Default `scripted`. */
  readonly name?: string;
  readonly instructions?: string;
  /** Answered to `initialize` whatever was asked. Default: the client's, if known, else 2025-11-25. */
  readonly protocolVersion?: string;
  /** Which capabilities are declared and served. Default: all. */
  readonly capabilities?: readonly ('tools' | 'resources' | 'prompts' | 'completions' | 'logging' | 'tasks')[];
  /** Only these of the built-in tools. */
  readonly tools?: readonly string[];
  /** Tools `extra_0` ... beside the built-in ones. */
  readonly extraTools?: number;
  /** Entries of one list page. Default: all on one. */
  readonly pageSize?: number;
  /** Before the first byte is read. */
  readonly startDelayMs?: number;
  readonly atStart?: readonly Act[];
  /** Right after `notifications/initialized`. */
  readonly atInitialized?: readonly Act[];
  /** Before the nth tools/call (from 1) is executed; key `*`: every one. */
  readonly atCall?: Readonly<Record<string, readonly Act[]>>;
  /** Requests that are read and never answered: `['initialize']` hangs on start, `['*']` answers nothing. */
  readonly unanswered?: readonly string[];
  readonly ignoreEof?: boolean;
  readonly ignoreSigterm?: boolean;
  readonly neverReads?: boolean;
  /** Everything on stdout goes out one byte at a time. */
  readonly drip?: boolean;
  /** Lines end with CRLF. */
  readonly crlf?: boolean;
  /** A JSON line per call, written and synced before the call has any effect: `{event, n, tool, nonce, pid, at}`; and one
   *  with event `cancelled` per cancelled call. */
  readonly ledger?: string;
}

export interface ScriptedServer {
  readonly command: string;
  readonly args: string[];
  /** Stands in the command line of the server and of everything it starts: `processesWith(marker)`. */
  readonly marker: string;
}

const PROGRAM = fileURLToPath(new URL('./scripted-server/main.mjs', import.meta.url));

export function scriptedServer(script: ServerScript = {}): ScriptedServer {
  const marker = `scripted-${randomBytes(8).toString('hex')}`;
  return { command: process.execPath, args: [PROGRAM, JSON.stringify({ marker, ...script })], marker };
}

/** Pids of live processes with the marker in their command line. Linux only: elsewhere it throws. */
export function processesWith(marker: string): number[] {
  const found: number[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^[0-9]+$/.test(name) || Number(name) === process.pid) continue;
    try {
      if (readFileSync(`/proc/${name}/cmdline`, 'latin1').includes(marker)) found.push(Number(name));
    } catch {
      // Gone between the two looks.
    }
  }
  return found;
}

/** Resolves when no process with the marker is left; rejects with the survivors' pids after `deadlineMs`. */
export async function untilNoneWith(marker: string, deadlineMs = 10_000): Promise<void> {
  const until = performance.now() + deadlineMs;
  for (;;) {
    const left = processesWith(marker);
    if (left.length === 0) return;
    if (performance.now() > until) throw new Error(`still alive after ${deadlineMs} ms: ${left.join(', ')}`);
    await delay(20);
  }
}
