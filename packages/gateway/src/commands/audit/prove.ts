// `mcp-gateway audit prove [PATH] --seq N`: a proof that a record is in the log, for somebody who has a checkpoint's public
// key and no secret. It contains the record.

import { readFile } from 'node:fs/promises';
import { EXIT, type Flags, say, UsageError } from '@mcp-overlay/cli';
import { readCheckpoint } from '../../audit/checkpoints.ts';
import { diskFiles } from '../../audit/files.ts';
import { readPublicKeys } from '../../audit/public-keys.ts';
import { prove } from '../../audit/verify/proof.ts';
import { type AuditAction, countFlag, logsFrom } from './action.ts';

export const proveAction: AuditAction = {
  describe: 'a proof that a record is in it, for others',
  options: ['seq', 'anchor'],
  run: async (flags: Flags) => {
    const seq = countFlag(flags, 'seq');
    if (seq === undefined) throw new UsageError('audit prove: --seq is missing');
    const logs = await logsFrom(flags);
    const [log] = logs;
    if (log === undefined || logs.length > 1) {
      throw new UsageError(
        `audit prove: there are ${logs.length} logs`,
        `name one with --log: ${logs.map(({ id }) => id).join(', ')}`,
      );
    }
    const [anchor] = (flags.anchor as string[] | undefined) ?? [];
    const note = anchor === undefined ? await readCheckpoint(log.path, diskFiles) : await readFile(anchor, 'utf8');
    process.stdout.write(await prove({ folder: log.path, log: log.id, files: diskFiles }, seq, note ?? ''));
    const keys = await readPublicKeys(log.path, diskFiles);
    for (const key of keys?.checkpoints ?? [])
      say(`mcp-gateway: it is checked with: audit verify --proof FILE --vkey ${key}`);
    return EXIT.done;
  },
};
