// `mcp-gateway check CONFIG`: validates, starts each backend once, and shows every public name, where it leads, and what
// is hidden and why. Exit 1 when a backend fails, so that a script can rely on it.

import {
  type Command,
  EXIT,
  type Flags,
  openLog,
  print,
  printJson,
  printTable,
  say,
  tellOverlay,
  toolkitVersion,
} from '@mcp-overlay/cli';
import { describeBackends } from '@mcp-overlay/config';
import { openOverlay } from '@mcp-overlay/overlay';
import { LIST_KINDS } from '@mcp-overlay/relay';
import { asString } from '../call/json.ts';
import { openConfiguredPins } from '../pinning.ts';
import type { Pins } from '../pins/open.ts';
import { NO_CLIENT } from '../pins/pin-book.ts';
import { unpinned } from '../pins/program.ts';
import { toolFilter } from '../policy/filter.ts';
import { openPolicy } from '../policy/open-policy.ts';
import { type Entry, walkPages } from '../routing/catalog.ts';
import { nameAll } from '../routing/names.ts';
import { rewriterFor } from '../routing/rewrite.ts';
import { prefixedUris, UNCHANGED } from '../routing/uris.ts';
import { ALONE, openAlone } from '../session/alone.ts';
import type { SessionSettings } from '../session/settings.ts';
import { closeBackends, overlayOptions, sessionSettings } from '../session-settings.ts';
import { accessOf } from './access.ts';
import { askedAtStart } from './ask-passphrase.ts';
import { loadConfig } from './load-config.ts';
import { renamingsAhead } from './renamings-ahead.ts';

interface Row {
  readonly kind: string;
  /** '' where nothing public leads to it. */
  readonly public: string;
  readonly backend: string;
  readonly native: string;
  readonly hidden: string;
}

const HELD: Readonly<Record<string, string>> = {
  changed: 'it changed since it was approved (mcp-gateway approve)',
  unapproved: 'nobody approved it yet (mcp-gateway approve)',
  denied: 'it was denied',
};

interface Checked {
  readonly id: string;
  readonly ok: boolean;
  readonly reason: string;
  readonly entries: ReadonlyMap<string, readonly Entry[]>;
}

export const checkCommand: Command = {
  usage: 'check <config>',
  access: true,
  describe: 'validate a configuration and show what it would serve',
  positionals: { config: { type: 'string', describe: 'as for run' } },
  options: {
    offline: { type: 'boolean', describe: 'only read the file, start nothing' },
    json: { type: 'boolean', describe: 'for programs' },
  },
  run: async (flags: Flags) => {
    const config = await loadConfig(String(flags.config));
    const policy = await openPolicy(config);
    const runs = describeBackends(config);
    for (const line of await renamingsAhead(config, process.env)) say(`mcp-gateway: ${line}`);
    for (const { id, transport, disabled } of config.backends) {
      const why = disabled ? undefined : unpinned(transport);
      if (why !== undefined) say(`mcp-gateway: backend ${id}: ${why}`);
    }
    if (flags.offline === true) {
      if (flags.json === true) printJson({ ok: true, backends: runs });
      else for (const line of runs) print(`${line}\n`);
      return EXIT.done;
    }
    const log = openLog({ program: 'mcp-gateway', level: 'error' });
    const kind = flags.overlay ?? config.share.overlay;
    const { identity, trust } = flags;
    const passphrase = await askedAtStart(config);
    const options = { config, log, env: process.env, identity, trust, access: accessOf(flags), passphrase };
    const { overlay, chosenBecause } = await openOverlay({ ...overlayOptions(options), kind });
    tellOverlay('mcp-gateway', { ...flags, overlay: kind }, { kind: overlay.kind, because: chosenBecause });
    const settings = sessionSettings({ ...options, overlay, policy, version: toolkitVersion() });
    // Nothing is recorded: who looks has not approved.
    const pins = await openConfiguredPins(config, { env: process.env, log, keep: false });
    const checked = await Promise.all(settings.backends.map((one) => checkBackend(one, settings, pins)));
    await pins?.close();
    await closeBackends(settings);
    await overlay.close();
    const rows = rowsOf(checked, settings);
    const ok = checked.every((backend) => backend.ok);
    if (flags.json === true) {
      printJson({ ok, backends: checked.map(({ id, ok, reason }) => ({ id, ok, reason })), names: rows });
    } else {
      printTable(
        ['kind', 'public name', 'backend', 'own name', 'hidden because'],
        rows.map((row) => [row.kind, row.public, row.backend, row.native, row.hidden]),
      );
      for (const { id, ok, reason } of checked) {
        if (reason !== '') say(`mcp-gateway: backend ${id} ${ok ? 'was' : 'failed:'} ${reason}`);
      }
    }
    return ok ? EXIT.done : EXIT.failed;
  },
};

async function checkBackend(
  one: SessionSettings['backends'][number],
  settings: SessionSettings,
  pins: Pins | undefined,
): Promise<Checked> {
  const { backend } = one;
  if (!backend.serves(ALONE)) {
    const reason = 'not tried: only identities with a credential of their own are served';
    return { id: backend.id, ok: true, reason, entries: new Map() };
  }
  const session = openAlone(one, settings, () => {});
  const entries = new Map<string, readonly Entry[]>();
  try {
    await session.settled;
    if (!session.welcome) {
      const reason = session.state.reason ?? 'it refused initialize';
      return { id: backend.id, ok: false, reason, entries };
    }
    for (const kind of LIST_KINDS) {
      const pageMs = backend.config.connectTimeoutMs ?? settings.connectTimeoutMs;
      const found = session.has(kind.capability) ? await walkPages(session, kind, settings.limits, pageMs) : [];
      if (typeof found !== 'string') entries.set(kind.member, held(found, kind.member, pins));
      else if (kind.member === 'tools') return { id: backend.id, ok: false, reason: found, entries };
    }
    return { id: backend.id, ok: true, reason: '', entries };
  } finally {
    await session.close();
  }
}

/** As clients would see it. */
function held(entries: readonly Entry[], list: string, pins: Pins | undefined): readonly Entry[] {
  const items = entries.map(({ item }) => item);
  const verdicts = entries[0] && pins?.judge(entries[0].backend, list, NO_CLIENT, items);
  return entries.map((entry, at) => {
    const verdict = verdicts?.[at];
    return verdict && 'withheld' in verdict ? { ...entry, withheld: verdict.withheld } : entry;
  });
}

function rowsOf(checked: readonly Checked[], settings: SessionSettings): Row[] {
  const ids = settings.backends.map(({ backend }) => backend.id);
  const filters = new Map(settings.backends.map(({ backend }) => [backend.id, toolFilter(backend.config.tools)]));
  const uris = ids.length === 1 ? UNCHANGED : prefixedUris(ids);
  return LIST_KINDS.flatMap((kind): Row[] => {
    const entries = checked.flatMap((backend) => backend.entries.get(kind.member) ?? []);
    const row = (entry: Entry, name: string, hidden: string): Row => {
      return { kind: kind.member, public: name, backend: entry.backend, native: entry.native, hidden };
    };
    if (kind.member !== 'tools' && kind.member !== 'prompts') {
      return entries.map((entry) => {
        const item = rewriterFor(uris, entry.backend).item(entry.item, undefined);
        const uri = asString(item.uri) ?? asString(item.uriTemplate) ?? '';
        return row({ ...entry, native: asString(entry.item.uri) ?? asString(entry.item.uriTemplate) ?? '' }, uri, '');
      });
    }
    const denied = (entry: Entry): boolean => kind.member === 'tools' && !filters.get(entry.backend)?.(entry.native);
    const table = nameAll(
      entries.filter((entry) => !denied(entry)),
      settings.naming,
    );
    return [
      ...[...table.shown].map(([name, entry]) =>
        entry.withheld === undefined
          ? row(entry, name, '')
          : row(entry, '', `${name}: ${HELD[entry.withheld] ?? entry.withheld}`),
      ),
      ...table.hidden.map(({ item, name, why }) => row(item, '', `${name}: ${why}`)),
      ...entries.filter(denied).map((entry) => row(entry, '', 'the tools filter of its backend')),
    ];
  });
}
