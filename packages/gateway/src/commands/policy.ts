// `mcp-gateway policy test|explain|replay`: what rules would say, without a gateway, an overlay or a server.

import { type Command, type Flags, UsageError } from '@mcp-overlay/cli';

type Action = (flags: Flags) => Promise<Awaited<ReturnType<Command['run']>>>;

/** Each is loaded when it is asked for. */
const ACTIONS: Readonly<Record<string, () => Promise<Action>>> = {
  test: async () => (await import('./policy/test.ts')).testPolicy,
  explain: async () => (await import('./policy/explain.ts')).explainPolicy,
  replay: async () => (await import('./policy/replay.ts')).replayPolicy,
};

export const policyCommand: Command = {
  usage: 'policy <action> <file> [what] [args]',
  describe: 'what the rules of a configuration say: cases from a file, one question, or all that was called',
  positionals: {
    action: { type: 'string', describe: 'test, explain or replay' },
    file: { type: 'string', describe: 'test: a file with cases; explain, replay: the configuration' },
    what: { type: 'string', describe: 'explain: a tool, as backend/name or by its public name' },
    args: { type: 'string', describe: 'explain: its arguments as JSON; without them, whether it is shown' },
  },
  options: {
    as: {
      type: 'string',
      requiresArg: true,
      describe: 'who asks: a nickname, an id, group:NAME, owner, network, unproven',
    },
    role: { type: 'string', array: true, nargs: 1, describe: 'a role of its token, in place of the configured ones' },
    group: { type: 'string', array: true, nargs: 1, describe: 'a group it belongs to' },
    view: { type: 'string', requiresArg: true, describe: 'it comes over the share of this view' },
    kind: { choices: ['tool', 'prompt', 'resource', 'method'], default: 'tool', describe: 'what is asked for' },
    config: {
      type: 'string',
      requiresArg: true,
      describe: 'test: the configuration, in place of the one the file names',
    },
    policy: { type: 'string', requiresArg: true, describe: 'replay: a configuration with other rules' },
    since: { type: 'string', requiresArg: true, describe: 'replay: calls from this time, or so long ago (7d)' },
    until: { type: 'string', requiresArg: true, describe: 'replay: calls up to this time' },
    json: { type: 'boolean', describe: 'for programs' },
  },
  examples: [
    ['$0 policy test cases.yml', 'exit 1 and a table of what came out otherwise'],
    [`$0 policy explain g.yml --as alice fs/read_file '{"path":"/data/x"}'`, 'which rule decides, and why'],
    ['$0 policy replay g.yml --policy new.yml --since 7d', 'what of last week would be decided otherwise'],
  ],
  run: async (flags: Flags) => {
    const action = String(flags.action);
    const load = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
    if (!load) throw new UsageError(`policy: expected ${Object.keys(ACTIONS).join(', ')} (got ${action})`);
    return (await load())(flags);
  },
};
