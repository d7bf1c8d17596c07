// `mcp-gateway audit export`: records as lines for another program, oldest first. Each was authenticated and follows the one
// before; where that is not so, the export ends with exit 1 before anything of it is believed.

import { hostname } from 'node:os';
import { EXIT, type Flags, toolkitVersion } from '@mcp-overlay/cli';
import type { Format } from '../../audit/export/facts.ts';
import { FORMATS, type FormatName } from '../../audit/export/formats.ts';
import type { ReadRecord } from '../../audit/query/records.ts';
import { records } from '../../audit/query/records.ts';
import { type AuditAction, logsFrom, timeFlag, writeLine } from './action.ts';

export const exportAction: AuditAction = {
  describe: 'records as lines for a SIEM: jsonl, cef, ocsf, syslog',
  options: ['format', 'since', 'until'],
  run: async (flags: Flags) => {
    const line = formatOf(flags);
    const sinceMs = timeFlag(flags, 'since');
    const untilMs = timeFlag(flags, 'until');
    const range = { ...(sinceMs !== undefined && { sinceMs }), ...(untilMs !== undefined && { untilMs }) };
    for (const log of await logsFrom(flags)) {
      for await (const read of records({ ...log, ...range })) await writeLine(line(read));
    }
    return EXIT.done;
  },
};

/** How a record becomes a line, as `--format` says. */
export function formatOf(flags: Flags): (read: ReadRecord) => string {
  const format: Format = FORMATS[(flags.format as FormatName | undefined) ?? 'jsonl'];
  const by = { host: hostname(), version: toolkitVersion() };
  return (read) => format(read, by);
}
