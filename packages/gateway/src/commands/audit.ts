// `mcp-gateway audit ACTION [PATH]`: reads the log of a gateway that runs or does not. PATH is its configuration, a folder of
// logs (with `--key`), or left out: the log in the state folder. Each action is a file in ./audit.

import { type Command, type Flags, UsageError } from '@mcp-overlay/cli';
import type { AuditAction } from './audit/action.ts';
import { correlateAction } from './audit/correlate.ts';
import { exportAction } from './audit/export.ts';
import { keyAction } from './audit/key.ts';
import { proveAction } from './audit/prove.ts';
import { queryAction } from './audit/query.ts';
import { tailAction } from './audit/tail.ts';
import { verifyAction } from './audit/verify.ts';

const ACTIONS: Readonly<Record<string, AuditAction>> = {
  query: queryAction,
  tail: tailAction,
  export: exportAction,
  correlate: correlateAction,
  verify: verifyAction,
  prove: proveAction,
  key: keyAction,
};

const each = { type: 'string', array: true, nargs: 1 } as const;
const OPTIONS = {
  key: { ...each, describe: 'of a folder: the key of its records (file: env: cmd:); older ones after it' },
  keyring: { ...each, describe: 'the same as --key' },
  log: { type: 'string', describe: 'only the log of this id' },
  session: { type: 'string', describe: 'query: of this session' },
  ident: { type: 'string', describe: 'query: of this principal' },
  backend: { type: 'string', describe: 'query: of this backend' },
  tool: { type: 'string', describe: "query: this tool, prompt, resource or method, by the backend's own name" },
  arg: { ...each, describe: 'query: called with this argument, NAME=VALUE' },
  type: { type: 'string', describe: 'query: records of this type, as in auth.deny' },
  status: { type: 'string', describe: 'query: calls that ended so: ok error refused timeout cancelled unknown' },
  decision: { type: 'string', describe: 'query: allow, deny, shadow' },
  seq: { type: 'string', describe: 'query: record N, or A..B; prove: record N' },
  since: { type: 'string', describe: 'query, export: from this time, or so long ago (7d)' },
  until: { type: 'string', describe: 'query, export: up to this time' },
  limit: { type: 'string', describe: 'query, tail: at most so many' },
  follow: { type: 'boolean', describe: 'tail: go on with new ones' },
  format: {
    type: 'string',
    choices: ['jsonl', 'cef', 'ocsf', 'syslog', 'csv'],
    describe: 'export, tail: of lines; correlate: of FILE',
  },
  with: { type: 'string', describe: "correlate: the broker's log; Vault's, if nothing else is said" },
  time: { type: 'string', describe: 'correlate: member with the time' },
  who: { type: 'string', describe: 'correlate: member with who read the credential' },
  credential: { type: 'string', describe: 'correlate: member with what was read' },
  only: { ...each, describe: 'correlate: only lines with NAME=VALUE' },
  same: { ...each, describe: "correlate: the broker's name for a principal, NAME=ID" },
  uses: { ...each, describe: 'correlate: a credential and a backend that uses it, CREDENTIAL=BACKEND' },
  window: { type: 'string', describe: 'correlate: how far apart reading and call may be (10s)' },
  from: { type: 'string', describe: 'verify: begins with the file that record N is in' },
  anchor: {
    ...each,
    describe: 'verify: what is known from elsewhere: a file of receipts, a checkpoint, SEQ:HASH; prove: the checkpoint',
  },
  proof: { type: 'string', describe: 'verify: a proof that prove made, without any log' },
  vkey: { ...each, describe: 'verify: public key that checkpoints are signed with (keys.json of the log)' },
  json: { type: 'boolean', describe: 'query, correlate, verify: for programs, one JSON line each' },
} as const;
/** Those that say which log. */
const WHICH = ['key', 'keyring', 'log'];

export const auditCommand: Command = {
  usage: 'audit <action> [path]',
  describe: 'reads the record of sessions and calls',
  positionals: {
    action: {
      type: 'string',
      describe: Object.entries(ACTIONS)
        .map(([name, { describe }]) => `${name}: ${describe}`)
        .join('; '),
    },
    path: { type: 'string', describe: 'a configuration or a folder; default: the log in the state folder' },
  },
  options: OPTIONS,
  examples: [
    ['$0 audit query gateway.yml --session 47', 'what did session 47 do'],
    ['$0 audit query gateway.yml --tool execute_sql --arg table=users --since 7d', 'who called it with this'],
    ['$0 audit verify gateway.yml --anchor receipts.jsonl', 'whether anybody changed or cut it'],
    ['$0 audit export gateway.yml --format ocsf --since 1d', 'for a SIEM'],
  ],
  run: async (flags: Flags) => {
    const name = String(flags.action);
    const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
    if (!action) throw new UsageError(`audit: expected ${Object.keys(ACTIONS).join(', ')} (got ${name})`);
    const stray = Object.keys(OPTIONS).find(
      (option) => flags[option] !== undefined && !WHICH.includes(option) && !action.options.includes(option),
    );
    if (stray !== undefined) throw new UsageError(`audit ${name}: --${stray} belongs to another action`);
    return action.run(flags);
  },
};
