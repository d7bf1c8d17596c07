// `mcp-gateway audit tail [--follow]`: the latest records, and those that come. Follows the log over its segments, and over
// the crash of the gateway that writes it.

import { setTimeout as pause } from 'node:timers/promises';
import { EXIT, endSignal, type Flags } from '@mcp-overlay/cli';
import { sentence } from '../../audit/export/facts.ts';
import { diskFiles } from '../../audit/files.ts';
import { segmentsIn } from '../../audit/folder.ts';
import type { ReadableLog } from '../../audit/query/reading.ts';
import { type Place, type ReadRecord, readOn } from '../../audit/query/records.ts';
import { type AuditAction, countFlag, logsFrom, writeLine } from './action.ts';
import { formatOf } from './export.ts';

const LINES = 20;
const LOOK_AGAIN_MS = 300;

export const tailAction: AuditAction = {
  describe: 'the latest records; --follow shows new ones as they come',
  options: ['limit', 'follow', 'format'],
  run: async (flags: Flags) => {
    using end = endSignal();
    const log = (await logsFrom(flags)).at(-1) as ReadableLog;
    const line = flags.format === undefined ? brief : formatOf(flags);
    const place: Place = await nearEnd(log);
    const latest: ReadRecord[] = [];
    const limit = countFlag(flags, 'limit') ?? LINES;
    for await (const read of readOn(log, place, await segmentsIn(log.path, diskFiles))) {
      latest.push(read);
      if (latest.length > limit) latest.shift();
    }
    for (const read of latest) await writeLine(line(read));
    while (flags.follow === true && !end.signal.aborted) {
      for await (const read of readOn(log, place, await segmentsIn(log.path, diskFiles))) await writeLine(line(read));
      await pause(LOOK_AGAIN_MS, undefined, { signal: end.signal }).catch(() => {});
    }
    return EXIT.done;
  },
};

function brief(read: ReadRecord): string {
  const { record } = read;
  const text = `${record.ts} ${record.seq} ${sentence(read)}`;
  // What callers named must not steer the terminal.
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
}

/** The last segment, or the one before where the last is young. */
async function nearEnd({ path }: ReadableLog): Promise<Place> {
  const numbers = await segmentsIn(path, diskFiles);
  return { seg: numbers.at(-2) ?? numbers.at(-1) ?? 0, offset: 0, seq: 0, hash: '' };
}
