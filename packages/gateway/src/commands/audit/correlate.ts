// `mcp-gateway audit correlate --with FILE`: which readings of credentials, in a secret broker's log, belong to which calls.
// Exit 1 when a reading belongs to none: somebody used the credential past the gateway, or its clock is wrong.

import { readFile } from 'node:fs/promises';
import { EXIT, type Flags, printTable, say, UsageError } from '@mcp-overlay/cli';
import { type BrokerFormat, brokerReads, type Correlated, correlate, VAULT } from '../../audit/correlate.ts';
import { records } from '../../audit/query/records.ts';
import { type AuditAction, logsFrom, writeLine } from './action.ts';

const WINDOW_SECONDS = 10;

export const correlateAction: AuditAction = {
  describe: "joins the log with a secret broker's: who read a credential without a call",
  options: ['with', 'format', 'time', 'who', 'credential', 'only', 'window', 'same', 'uses', 'json'],
  run: async (flags: Flags) => {
    const file = flags.with as string | undefined;
    if (file === undefined) throw new UsageError("audit correlate: --with FILE is missing: the broker's log");
    const text = await readFile(file, 'utf8').catch((error: Error) => {
      throw new UsageError(`--with ${file}: ${error.message}`);
    });
    const reads = brokerReads(text, formatOf(flags));
    const windowMs = windowOf(flags);
    const same = pairs(flags, 'same');
    const uses = pairs(flags, 'uses');
    const range = { sinceMs: (reads[0]?.ms ?? 0) - windowMs, untilMs: (reads.at(-1)?.ms ?? 0) + windowMs };
    const logs = await logsFrom(flags);
    const found = await correlate(reads, each(logs.map((log) => records({ ...log, ...range }))), {
      windowMs,
      identOf: (who) => (same.length === 0 ? undefined : (same.find(([name]) => name === who)?.[1] ?? who)),
      backendsOf: (credential) => {
        const its = uses.filter(([name]) => name === credential).map(([, backend]) => backend);
        return its.length === 0 ? undefined : new Set(its);
      },
    });
    const alone = found.filter(({ calls }) => calls.length === 0);
    if (flags.json === true) for (const one of found) await writeLine(JSON.stringify(one));
    else printTable(['time', 'who', 'credential', 'call', 'by', 'backend', 'target', 'after'], found.flatMap(rowsOf));
    say(`mcp-gateway: ${found.length} readings of credentials, ${alone.length} without a call`);
    return alone.length === 0 ? EXIT.done : EXIT.failed;
  },
};

async function* each<T>(sources: readonly AsyncIterable<T>[]): AsyncGenerator<T> {
  for (const source of sources) yield* source;
}

/** Vault's, but for what the command line says. */
function formatOf(flags: Flags): BrokerFormat {
  const names = (name: string, otherwise: readonly string[]): readonly string[] => {
    const given = flags[name] as string | undefined;
    return given === undefined ? otherwise : [given];
  };
  const mapped = ['time', 'credential', 'who'].some((name) => flags[name] !== undefined);
  const format = flags.format ?? 'jsonl';
  if (format !== 'jsonl' && format !== 'csv')
    throw new UsageError(`audit correlate: --format is jsonl or csv (got ${String(format)})`);
  return {
    format,
    time: names('time', VAULT.time),
    who: names('who', VAULT.who),
    credential: names('credential', VAULT.credential),
    only:
      flags.only === undefined && !mapped && format === 'jsonl'
        ? VAULT.only
        : pairs(flags, 'only').map(([name, value]) => ({ name, value })),
  };
}

function windowOf(flags: Flags): number {
  const text = (flags.window as string | undefined) ?? `${WINDOW_SECONDS}s`;
  const [, count, unit] = /^(\d{1,6})(ms|s|m)$/.exec(text) ?? [];
  if (count === undefined) throw new UsageError(`--window: expected a time as in 10s (got ${text})`);
  return Number(count) * (unit === 'ms' ? 1 : unit === 's' ? 1000 : 60_000);
}

/** `NAME=VALUE`, several times; the last `=` counts, for paths of credentials may have some. */
function pairs(flags: Flags, name: string): [string, string][] {
  return ((flags[name] as string[] | undefined) ?? []).map((text) => {
    const at = text.lastIndexOf('=');
    if (at <= 0) throw new UsageError(`--${name}: expected NAME=VALUE (got ${text})`);
    return [text.slice(0, at), text.slice(at + 1)];
  });
}

function rowsOf({ ms, who = '', credential, calls }: Correlated): string[][] {
  const head = [new Date(ms).toISOString(), who, credential];
  if (calls.length === 0) return [[...head, 'none', '', '', '', '']];
  return calls.map(({ seq, ident = '', backend = '', target = '', afterMs }) => [
    ...head,
    String(seq),
    ident,
    backend,
    target,
    `${afterMs} ms`,
  ]);
}
