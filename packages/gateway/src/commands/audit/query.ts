// `mcp-gateway audit query`: "what did session 47 access", "who called X with Y last week". A call is one row, with what
// became of it; what is shown was read in the log and authenticated.

import { EXIT, type Flags, printTable, say, UsageError } from '@mcp-overlay/cli';
import { ask, type Found, type Question } from '../../audit/query/question.ts';
import { numberOf, textOf } from '../../audit/query/record.ts';
import { search } from '../../audit/query/search.ts';
import { type AuditAction, countFlag, logsFrom, timeFlag, writeLine } from './action.ts';

const SHOWN = 1000;
const HEAD = ['time', 'record', 'session', 'who', 'what', 'backend', 'target', 'decision', 'status', 'ms'];

export const queryAction: AuditAction = {
  describe: 'who did what: calls, sessions, refusals and decisions that fit',
  options: [
    'session',
    'ident',
    'backend',
    'tool',
    'arg',
    'type',
    'status',
    'decision',
    'since',
    'until',
    'seq',
    'limit',
    'json',
  ],
  run: async (flags: Flags) => {
    const question = questionOf(flags);
    const limit = countFlag(flags, 'limit') ?? SHOWN;
    const json = flags.json === true;
    const rows: string[][] = [];
    let shown = 0;
    let more = false;
    for (const log of await logsFrom(flags)) {
      const onIndexing = once(() => say('mcp-gateway: indexing segments that were not asked before'));
      for await (const found of search({ ...log, onIndexing }, ask(question, log.leaves))) {
        more = shown >= limit;
        if (more) break;
        shown += 1;
        if (json) await writeLine(JSON.stringify(found));
        else rows.push(rowOf(found));
      }
      if (more) break;
    }
    if (!json) printTable(HEAD, rows);
    if (more)
      say(`mcp-gateway: the first ${limit} are shown`, 'narrow it with --since, or ask for more with --limit N');
    return EXIT.done;
  },
};

function questionOf(flags: Flags): Question {
  const text = (name: string): string | undefined => flags[name] as string | undefined;
  const question: { -readonly [K in keyof Question]: Question[K] | undefined } = {
    session: countFlag(flags, 'session'),
    ident: text('ident'),
    backend: text('backend'),
    target: text('tool'),
    type: text('type'),
    status: text('status'),
    decision: text('decision'),
    args: ((flags.arg as string[] | undefined) ?? []).map(argOf),
    sinceMs: timeFlag(flags, 'since'),
    untilMs: timeFlag(flags, 'until'),
    ...numbersOf(text('seq')),
  };
  return Object.fromEntries(Object.entries(question).filter(([, value]) => value !== undefined)) as unknown as Question;
}

function argOf(text: string): { path: string; value: string } {
  const at = text.indexOf('=');
  if (at > 0) return { path: text.slice(0, at), value: text.slice(at + 1) };
  throw new UsageError(
    `--arg: expected NAME=VALUE (got ${text})`,
    'as in --arg path=/etc/passwd; of an inner one: --arg filter.owner=acme',
  );
}

function numbersOf(text: string | undefined): { fromSeq?: number; toSeq?: number } {
  if (text === undefined) return {};
  const [, from, dots, to] = /^(\d{0,15})(\.\.)?(\d{0,15})$/.exec(text) ?? [];
  if (from === undefined || (from === '' && to === ''))
    throw new UsageError(`--seq: expected N, A..B, A.. or ..B (got ${text})`);
  if (dots === undefined) return { fromSeq: Number(from), toSeq: Number(from) };
  return { ...(from !== '' && { fromSeq: Number(from) }), ...(to !== '' && { toSeq: Number(to) }) };
}

function rowOf({ record, outcome }: Found): string[] {
  const said = outcome ?? record;
  const isCall = textOf(record, 'type')?.startsWith('call.') === true;
  const status = textOf(said, 'status') ?? (record.type === 'call.intent' ? 'in doubt' : '');
  const code = said.code === undefined ? '' : ` (${String(said.code)})`;
  return [
    textOf(record, 'ts') ?? '',
    String(record.seq),
    String(record.session ?? ''),
    textOf(record, 'ident') ?? textOf(record, 'by') ?? '',
    isCall ? `${record.from === undefined ? '' : 'asks '}${record.method}` : `${record.type}${detailOf(record)}`,
    textOf(record, 'backend') ?? '',
    textOf(record, 'target') ?? '',
    textOf(record, 'decision') ?? '',
    `${status}${code}`,
    numberOf(said, 'ms')?.toFixed(1) ?? '',
  ];
}

function detailOf(record: Readonly<Record<string, unknown>>): string {
  const detail = record.what ?? record.name ?? record.reason;
  return detail === undefined ? '' : `: ${String(detail)}`;
}

function once(run: () => void): () => void {
  let done = false;
  return () => {
    if (!done) run();
    done = true;
  };
}
