// `mcp-gateway alarms [list | silence ID|RULE --for 2h [--ident X] | unsilence ID|RULE]`: what rang at a running gateway.

import { type Command, EXIT, type Flags, print, printJson, printTable, UsageError } from '@mcp-overlay/cli';
import { LIFETIME_FORM, parseLifetime } from '@mcp-overlay/config';
import { askAdmin } from '../admin/client.ts';
import type { AlarmsView } from '../alarms/control.ts';

const ACTIONS = ['list', 'silence', 'unsilence'];

export const alarmsCommand: Command = {
  usage: 'alarms [action] [what]',
  describe: 'what rang at a running gateway; silences it for a time, on record',
  positionals: {
    action: { type: 'string', describe: 'list, silence or unsilence' },
    what: { type: 'string', describe: 'the id of an alarm, or a rule' },
  },
  options: {
    for: { type: 'string', describe: 'how long it is silent: 2h, 30m, 7d' },
    ident: { type: 'string', describe: 'only of this principal id' },
    share: { type: 'string', describe: "the gateway's share token, only if several run" },
    json: { type: 'boolean', describe: 'for programs' },
  },
  examples: [
    ['$0 alarms', 'what goes on, by whom, and which records show it'],
    ['$0 alarms silence 3fa9c1d2 --for 2h', 'nobody is told of this one for two hours'],
    ['$0 alarms silence hours --ident ziti:Ab3dE.f7H --for 7d', 'she works late this week'],
  ],
  run: async (flags: Flags) => {
    const { action = 'list', what, forMs, ident, share } = readFlags(flags);
    const command = action === 'list' ? 'alarms' : `alarms ${action}`;
    const words = [command, what, '--share TOKEN'].filter((word) => word !== undefined).join(' ');
    const answer = await askAdmin(command, share, process.env, { more: { what, ident, forMs }, naming: words });
    const view = answer as AlarmsView;
    if (flags.json === true) printJson(view);
    else show(view);
    return EXIT.done;
  },
};

function readFlags(flags: Flags) {
  const { action, what, for: duration, ident, share } = flags as Readonly<Record<string, string | undefined>>;
  if (action !== undefined && !ACTIONS.includes(action)) {
    throw new UsageError(`alarms: expected ${ACTIONS.slice(0, -1).join(', ')} or ${ACTIONS.at(-1)} (got ${action})`);
  }
  const changes = action === 'silence' || action === 'unsilence';
  if (changes && what === undefined) {
    throw new UsageError(`alarms ${action}: ID or RULE is missing`, 'mcp-gateway alarms shows what rang');
  }
  if (!changes && (what !== undefined || ident !== undefined)) {
    throw new UsageError('alarms list: shows all; only silence and unsilence name one');
  }
  if (action !== 'silence' && duration !== undefined) throw new UsageError('alarms: --for belongs to silence');
  if (action === 'silence' && duration === undefined) {
    throw new UsageError('alarms silence: --for is missing', 'as in --for 2h: a silence has an end');
  }
  const forMs = duration === undefined ? undefined : parseLifetime(duration);
  if (duration !== undefined && forMs === undefined) {
    throw new UsageError(`alarms silence: --for: expected ${LIFETIME_FORM} (got ${duration})`);
  }
  return { action, what, forMs, ident, share };
}

function show({ open, silences }: AlarmsView): void {
  printTable(
    ['alarm', 'rule', 'who', 'where', 'times', 'since', 'last', 'records', 'why'],
    open.map((one) => [
      one.id,
      one.rule,
      one.ident ?? '',
      [one.backend, one.target].filter((word) => word !== undefined).join('/'),
      String(one.count),
      one.since,
      one.last,
      one.seqs.join(' '),
      one.why,
    ]),
  );
  if (silences.length === 0) return;
  print('\n');
  printTable(
    ['silenced', 'who', 'until'],
    silences.map(({ what, ident, until }) => [what, ident ?? 'everybody', new Date(until).toISOString()]),
  );
}
