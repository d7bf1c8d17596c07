// Who besides its owner may change a file that decides what we run: whoever may is as good as the operator (abuse case T38).

import type { Stats } from 'node:fs';

export type Changer = 'everybody' | 'group' | 'owner';

/** undefined: only we ourselves and root. What is no regular file (a pipe, a device) has no standing content to change. */
export function changeableBy(
  stats: Pick<Stats, 'mode' | 'uid' | 'gid' | 'isFile'>,
  ownUid: number | undefined = process.getuid?.(),
): Changer | undefined {
  const { mode, uid, gid } = stats;
  if (ownUid === undefined || !stats.isFile()) return undefined;
  if ((mode & 0o002) !== 0) return 'everybody';
  if (uid !== ownUid && uid !== 0) return 'owner';
  // Where each user has a group of his own, its number is his, and files are group-writable by default.
  return (mode & 0o020) !== 0 && gid !== uid ? 'group' : undefined;
}
