// `mcp-gateway approve [CONFIG] [BACKEND[/NAME]]`: shows what servers say now that nobody approved, what differs from what was
// approved, and what to look at twice; takes a decision where the hash of exactly that is typed in or given. Of a running
// gateway over its admin socket; with CONFIG, where none runs, by starting the servers once.

import { stat } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import {
  type Command,
  displaySafe,
  EXIT,
  type ExitCode,
  type Flags,
  openLog,
  print,
  printJson,
  say,
  toolkitVersion,
  UsageError,
} from '@mcp-overlay/cli';
import { OWNER, openOverlay } from '@mcp-overlay/overlay';
import { LIST_KINDS, parseExact } from '@mcp-overlay/relay';
import { askAdmin } from '../admin/client.ts';
import { type Approvals, approvalsOf, auditOf, type Decision, type PinView } from '../approvals.ts';
import { openConfiguredAudit } from '../audit/configured.ts';
import { recordAdmin } from '../audit/lives.ts';
import { asObject, type JsonObject } from '../call/json.ts';
import { openConfiguredPins } from '../pinning.ts';
import { diffOf, linesOf } from '../pins/diff.ts';
import { type Finding, findingsIn, type Surroundings } from '../pins/findings.ts';
import { inOrder } from '../pins/in-order.ts';
import { NO_CLIENT } from '../pins/pin-book.ts';
import { openPolicy } from '../policy/open-policy.ts';
import { walkPages } from '../routing/catalog.ts';
import { ALONE, openAlone } from '../session/alone.ts';
import { closeBackends, overlayOptions, sessionSettings } from '../session-settings.ts';
import { accessOf } from './access.ts';
import { askedAtStart } from './ask-passphrase.ts';
import { loadConfig } from './load-config.ts';

export const approveCommand: Command = {
  usage: 'approve [what] [item]',
  access: true,
  describe: 'definitions that are new or have changed: what differs, and a decision',
  positionals: {
    what: { type: 'string', describe: 'CONFIG, if the gateway is not running; or BACKEND, or BACKEND/NAME' },
    item: { type: 'string', describe: 'after CONFIG: BACKEND, or BACKEND/NAME' },
  },
  options: {
    deny: { type: 'boolean', describe: 'it stays hidden, whatever it becomes; also of what is served now' },
    yes: { type: 'boolean', describe: 'asks nothing; wants --expect-hash' },
    'expect-hash': {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'with --yes: the hash of what is meant, as shown',
    },
    share: { type: 'string', describe: "the gateway's share token, only if several run" },
    json: { type: 'boolean', describe: 'for programs; decides nothing' },
  },
  examples: [
    ['$0 approve', 'shows each, and asks'],
    ['$0 approve fs/read_file --yes --expect-hash 3f9c0a1b2c3d4e5f', 'in a script: exactly this one'],
    ['$0 approve fs/delete_all --deny', 'never again'],
  ],
  run: async (flags: Flags) => {
    const [config, item] = await wordsOf(flags);
    const hashes = ((flags.expectHash ?? flags['expect-hash'] ?? []) as readonly string[]).map((hash) =>
      hash.replace(/^sha256:/, ''),
    );
    if (flags.yes === true && hashes.length === 0) {
      throw new UsageError(
        'approve: --yes wants --expect-hash',
        'nobody can say yes to what was not looked at; mcp-gateway approve shows the hashes',
      );
    }
    const short = hashes.find((hash) => !/^[0-9a-f]{16,64}$/.test(hash));
    if (short !== undefined)
      throw new UsageError('approve: --expect-hash wants 16 hex digits or more, as approve shows them');
    const run = (approvals: Approvals): Promise<ExitCode> => decideAll(approvals, item, hashes, flags);
    return config === undefined ? run(running(flags.share as string | undefined)) : offline(config, flags, run);
  },
};

async function wordsOf({
  what,
  item,
}: Flags): Promise<readonly [config: string | undefined, item: string | undefined]> {
  const [first, second] = [what as string | undefined, item as string | undefined];
  if (first === undefined) return [undefined, undefined];
  const isFile =
    second !== undefined ||
    (await stat(first).then(
      (stats) => stats.isFile(),
      () => false,
    ));
  return isFile ? [first, second] : [undefined, first];
}

function running(share: string | undefined): Approvals {
  const ask = async <T>(command: string, more: object = {}): Promise<T> =>
    (await askAdmin(command, share, process.env, { more: { ...more }, naming: 'approve --share TOKEN' })) as T;
  return {
    waiting: () => ask<readonly PinView[]>('pins'),
    all: () => ask<readonly PinView[]>('pins all'),
    decide: (decision) => ask<boolean>('pins decide', decision),
  };
}

/** As `check` does: each server is started once, without a client. */
async function offline(
  path: string,
  flags: Flags,
  run: (approvals: Approvals) => Promise<ExitCode>,
): Promise<ExitCode> {
  const config = await loadConfig(path);
  const log = openLog({ program: 'mcp-gateway', level: 'error' });
  const { env } = process;
  const version = toolkitVersion();
  const audit = await openConfiguredAudit(config, { env, by: `mcp-gateway/${version}`, onTrouble: () => {} }).catch(
    (error: unknown) => {
      if ((error as { code?: unknown }).code !== 'audit_in_use') throw error;
      throw new UsageError(
        'approve: a gateway is running with this configuration',
        'leave CONFIG away: it is asked then',
      );
    },
  );
  const news: Parameters<typeof openConfiguredPins>[1]['news'] = (event) =>
    void audit?.log.append(auditOf(event)).catch(() => {});
  const pins = await openConfiguredPins(config, { env, log, news });
  if (!pins) throw new UsageError('approve: nothing is pinned in this configuration', 'pins: first-use pins all');
  const passphrase = await askedAtStart(config);
  const { identity, trust } = flags;
  const options = { config, log, env, identity, trust, access: accessOf(flags), passphrase };
  const { overlay } = await openOverlay({ ...overlayOptions(options), kind: flags.overlay ?? config.share.overlay });
  const settings = sessionSettings({ ...options, overlay, policy: await openPolicy(config), version, pins });
  try {
    await Promise.all(
      settings.backends.map(async (one) => {
        if (!one.backend.serves(ALONE)) {
          say(
            `mcp-gateway: backend ${one.backend.id} was not tried: only identities with a credential of their own are served`,
          );
          return;
        }
        const session = openAlone(one, settings, () => {});
        try {
          await session.settled;
          if (!session.welcome) say(`mcp-gateway: backend ${session.id} failed: ${session.trouble}`);
          if (session.welcome) pins.greeted(session.id, NO_CLIENT, session.welcome);
          for (const kind of LIST_KINDS) {
            if (!session.has(kind.capability)) continue;
            const found = await walkPages(session, kind, settings.limits, settings.connectTimeoutMs);
            if (typeof found === 'string') say(`mcp-gateway: backend ${session.id}: ${found}`);
            else
              pins.judge(
                session.id,
                kind.member,
                NO_CLIENT,
                found.map(({ item }) => item),
              );
          }
        } finally {
          await session.close();
        }
      }),
    );
    const record = async (what: string, target: string): Promise<void> => {
      if (audit) await recordAdmin(audit.log, what, target, OWNER);
    };
    return await run(approvalsOf(pins, { record, by: OWNER }));
  } finally {
    await pins.close();
    await closeBackends(settings);
    await overlay.close();
    await audit?.log.close();
  }
}

async function decideAll(
  approvals: Approvals,
  item: string | undefined,
  hashes: readonly string[],
  flags: Flags,
): Promise<ExitCode> {
  const all = await approvals.all();
  const waiting = (await approvals.waiting()).filter((view) => isMeant(view, item));
  const served =
    flags.deny === true
      ? all.filter((view) => view.why !== 'denied' && item?.includes('/') && isMeant(view, item))
      : [];
  const views = waiting.length > 0 ? waiting : served;
  if (flags.json === true) {
    printJson(
      views.map(({ text, before, ...view }) => ({
        ...view,
        definition: JSON.parse(text),
        before: before && JSON.parse(before.text),
        findings: lookAt({ ...view, text, ...(before && { before }) }, all),
      })),
    );
    return EXIT.done;
  }
  if (views.length === 0) {
    say(`mcp-gateway: nothing waits for a decision${item === undefined ? '' : ` of ${displaySafe(item)}`}`);
    return flags.yes === true ? EXIT.failed : EXIT.done;
  }
  const state = flags.deny === true ? 'denied' : 'approved';
  const asking = flags.yes !== true && process.stdin.isTTY;
  let left = 0;
  for (const view of views) {
    show(view, lookAt(view, all));
    const meant =
      flags.yes === true
        ? hashes.some((hash) => view.hash.startsWith(`sha256:${hash}`))
        : asking && (await typed(view, state));
    if (meant && (await approvals.decide(decisionOn(view, state)))) print(`${state}\n\n`);
    else {
      left += 1;
      print(meant ? 'it changed meanwhile: look again\n\n' : 'left as it is\n\n');
    }
  }
  if (flags.yes !== true && !asking)
    say('mcp-gateway: to decide, be at a terminal, or say --yes --expect-hash with the hash of each');
  return left === 0 ? EXIT.done : EXIT.failed;
}

function isMeant({ backend, name }: PinView, item: string | undefined): boolean {
  return item === undefined || item === backend || item === `${backend}/${name}`;
}

function decisionOn({ backend, list, name, hash }: PinView, state: Decision['state']): Decision {
  return { backend, list, name, hash, state };
}

function lookAt(view: PinView, all: readonly PinView[]): Finding[] {
  const others = all.filter(({ backend }) => backend !== view.backend);
  const around: Surroundings = {
    backends: [...new Set(others.map(({ backend }) => backend))],
    tools: others.filter(({ list }) => list === 'tools').map(({ name }) => name),
  };
  return findingsIn(parsed(view.text), view.before && parsed(view.before.text), around);
}

function show({ backend, list, name, short, why, text, before }: PinView, findings: readonly Finding[]): void {
  const since = before ? `, approved ${before.at} by ${displaySafe(before.by)}` : why === 'approved' ? '' : ', new';
  print(`${inOrder(`${backend}/${name}`)} (${list}): ${why}${since}\n`);
  for (const { kind, text: found } of findings) print(`  ! ${kind}: ${found}\n`);
  const now = linesOf(parsed(text));
  const lines = before ? diffOf(linesOf(parsed(before.text)), now) : now.map((line) => `+ ${line}`);
  for (const line of lines) print(`  ${line}\n`);
  print(`  hash ${short}\n`);
}

async function typed({ short }: PinView, state: Decision['state']): Promise<boolean> {
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await asking.question(`type the hash, and it is ${state}; enter alone leaves it: `);
    return answer.trim() === short;
  } finally {
    asking.close();
  }
}

function parsed(text: string): JsonObject {
  return asObject(parseExact(text)) ?? {};
}
