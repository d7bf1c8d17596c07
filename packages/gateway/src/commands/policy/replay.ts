// `policy replay CONFIG --policy NEW.yml [--since T]`: what other rules would have decided over the log of CONFIG. Exit 1 if
// anything would have been decided otherwise, so that a change of rules can be held back by a script.

import { EXIT, type Flags, printJson, printTable, say, UsageError } from '@mcp-overlay/cli';
import { readableLogs } from '../../audit/query/reading.ts';
import { records } from '../../audit/query/records.ts';
import { type ChangedCalls, type Replayed, replay } from '../../audit/replay.ts';
import { loadForAudit, timeFlag } from '../audit/action.ts';
import { openOffline } from './offline.ts';

const NOTHING: Replayed = { calls: 0, same: 0, denied: 0, allowed: 0, undecided: 0, unjudged: 0, left: 0, changes: [] };

export async function replayPolicy(flags: Flags) {
  if (typeof flags.policy !== 'string')
    throw new UsageError('policy replay: --policy is missing', 'a configuration with the other rules');
  const { policy: policyOf } = await openOffline(flags.policy, process.cwd());
  const policy = policyOf(undefined);
  if (!policy) throw new UsageError(`${flags.policy} has no rules`);
  const sinceMs = timeFlag(flags, 'since');
  const untilMs = timeFlag(flags, 'until');
  const range = { ...(sinceMs !== undefined && { sinceMs }), ...(untilMs !== undefined && { untilMs }) };
  const logs = await readableLogs({
    from: String(flags.file),
    keys: [],
    log: undefined,
    env: process.env,
    load: loadForAudit,
  });
  let all = NOTHING;
  for (const log of logs) all = plus(all, await replay(records({ ...log, ...range }), policy, log.leaves));
  if (flags.json === true) printJson(all);
  else if (all.changes.length > 0) {
    printTable(
      ['would be', 'calls', 'who', 'backend', 'target', 'decided by', 'now by', 'because', 'records'],
      [...all.changes].sort((a, b) => b.count - a.count).map(row),
    );
  }
  const { calls, same, denied, allowed, undecided, unjudged, left } = all;
  say(
    `mcp-gateway: ${calls} calls: ${same} as before, ${denied} would be denied, ${allowed} would be allowed, ${undecided} cannot be told because their arguments are not on record, ${unjudged} were not about rules`,
    ...(left > 0 ? [`${left} changed calls are not in the table: too many kinds`] : []),
  );
  return denied + allowed === 0 ? EXIT.done : EXIT.failed;
}

function plus(a: Replayed, b: Replayed): Replayed {
  return {
    calls: a.calls + b.calls,
    same: a.same + b.same,
    denied: a.denied + b.denied,
    allowed: a.allowed + b.allowed,
    undecided: a.undecided + b.undecided,
    unjudged: a.unjudged + b.unjudged,
    left: a.left + b.left,
    changes: [...a.changes, ...b.changes],
  };
}

function row({ change, count, ident, backend, target, before, rule, why = '', first, last }: ChangedCalls): string[] {
  const where = first === last ? String(first) : `${first}..${last}`;
  return [change, String(count), ident, backend, target, before, rule, why, where];
}
