// `mcp-gateway drain [TOKEN] [--within 10m]`: a running gateway takes no new sessions, its open calls finish, and it ends.

import { type Command, displaySafe, EXIT, type Flags, print, printJson, say, UsageError } from '@mcp-overlay/cli';
import { DURATION_FORM, parseDuration } from '@mcp-overlay/config';
import { askAdmin, talkTo } from '../admin/client.ts';
import type { DrainNews } from '../admin/hand-over.ts';
import type { GatewayStatus } from '../status.ts';
import type { OpenAtSession } from '../succession/departure.ts';

export const WITHIN = '10m';

/** From the last session to the end of the process: its servers may be slow to go. */
const GONE_MS = 20_000;

export const drainCommand: Command = {
  usage: 'drain [token]',
  describe: 'ends a running gateway without cutting its open calls; agents go on with its successor',
  positionals: { token: { type: 'string', describe: 'its share, only if several run' } },
  options: {
    within: { type: 'string', default: WITHIN, describe: 'what is open after this is cut' },
    json: { type: 'boolean', describe: 'for programs: one line for each change' },
  },
  examples: [['$0 drain --within 2m', 'says what is still open until all is done']],
  run: async (flags: Flags) => {
    const withinMs = withinOf('drain', flags);
    const asked = typeof flags.token === 'string' ? flags.token : undefined;
    const { share } = (await askAdmin('status', asked, process.env, { naming: 'drain TOKEN' })) as GatewayStatus;
    const talk = await talkTo(share, process.env);
    let news = (await talk?.ask({ command: 'drain', withinMs })) as DrainNews | undefined;
    while (news) {
      if (flags.json === true) printJson(news);
      else show(share, news);
      if (news.cut !== undefined) {
        await talk?.next(GONE_MS);
        return news.cut === 0 ? EXIT.done : EXIT.failed;
      }
      news = (await talk?.next(Number.POSITIVE_INFINITY)) as DrainNews | undefined;
    }
    say(`mcp-gateway: the gateway on share ${share} ended before it was drained`);
    return EXIT.failed;
  },
};

/** Throws `usage`. */
export function withinOf(command: string, { within = WITHIN }: Readonly<Record<string, unknown>>): number {
  const ms = parseDuration(String(within));
  if (ms === undefined) throw new UsageError(`${command}: --within: expected ${DURATION_FORM} (got ${String(within)})`);
  return ms;
}

function show(share: string, { pid, until, open, cut }: DrainNews): void {
  if (cut === 0) {
    print(`${share} is drained, no call was cut\n`);
    return;
  }
  const calls = open.length === 1 ? '1 call is' : `${open.length} calls are`;
  if (cut === undefined) print(`${share} takes no new sessions, pid ${pid}; ${calls} open, cut at ${until}\n`);
  else print(`${share} is drained; the time was up, ${cut === 1 ? '1 call was' : `${cut} calls were`} cut:\n`);
  for (const call of open) print(`${openLine(call)}\n`);
}

export function openLine({ session, principal, method, backend, target, since }: OpenAtSession): string {
  const where = [backend, target].filter((word) => word !== undefined).join('/');
  const what = where === '' ? method : `${method} ${where}`;
  return displaySafe(`  ${what} of session ${session}, ${principal}, since ${new Date(since).toISOString()}`);
}
