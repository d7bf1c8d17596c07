// `mcp-gateway reload [TOKEN]`: a running gateway takes over its changed file, or says why it does not and goes on as before.

import {
  type Command,
  displaySafe,
  displaySafeLines,
  EXIT,
  exitCodeOf,
  type Flags,
  print,
  printJson,
  printTable,
  say,
} from '@mcp-overlay/cli';
import { askAdmin } from '../admin/client.ts';
import type { Applied, Rejected, ReloadOutcome, Unchanged } from '../reload/outcome.ts';

/** Commands that print secrets may ask a server, each for ten seconds; sessions that end get a little time. */
const ANSWER_MS = 60_000;

export const reloadCommand: Command = {
  usage: 'reload [token]',
  describe: 'a running gateway reads its configuration again; a broken one changes nothing',
  positionals: { token: { type: 'string', describe: 'its share, only if several run' } },
  options: {
    plan: { type: 'boolean', describe: 'only says what would change' },
    json: { type: 'boolean', describe: 'for programs' },
  },
  examples: [['$0 reload --plan', 'what a changed file would change, before it is taken over']],
  run: async (flags: Flags) => {
    const token = typeof flags.token === 'string' ? flags.token : undefined;
    const plan = flags.plan === true;
    const asked = await askAdmin('reload', token, process.env, { more: { plan }, answerMs: ANSWER_MS });
    const outcome = asked as ReloadOutcome;
    if (outcome.outcome === 'rejected') {
      tellRejected(outcome);
      return outcome.code === undefined ? EXIT.failed : exitCodeOf(outcome);
    }
    if (flags.json === true) printJson(outcome);
    else show(outcome);
    return EXIT.done;
  },
};

function tellRejected({ code, message, hint, digest }: Rejected): void {
  say(`mcp-gateway: ${displaySafeLines(message)}${code === undefined ? '' : ` (${code})`}`, hint);
  say(`mcp-gateway: the configuration before stays in force (${shortDigest(digest)})`);
}

function show(outcome: Applied | Unchanged): void {
  if (outcome.outcome === 'unchanged') print(`nothing changed: ${shortDigest(outcome.digest)} is in force\n`);
  else showApplied(outcome);
}

function showApplied(applied: Applied): void {
  const { outcome, changes, warnings, digest, ended, draining, drainUntil, swapMs } = applied;
  for (const warning of warnings) say(`mcp-gateway: ${displaySafe(warning)}`);
  if (changes.length > 0) {
    printTable(
      ['what', 'name', 'change'],
      changes.map(({ what, name, change }) => [what, displaySafe(name), displaySafe(change)]),
    );
  }
  if (outcome === 'planned') {
    print(`would be applied: ${shortDigest(digest)}; ${draining} sessions would go on as they began\n`);
    return;
  }
  print(`applied: ${shortDigest(digest)}, swapped in ${swapMs} ms\n`);
  if (ended > 0) print(`${ended} sessions ended, or begin anew, for what was taken away\n`);
  if (draining > 0) print(`${draining} sessions go on as they began, until ${drainUntil} at the longest\n`);
}

/** Enough to be told from another. */
function shortDigest(digest: string): string {
  return digest.slice(0, 'sha256:'.length + 12);
}
