// I9: a secret that only one server may have is looked for everywhere else: in every file of the run, in what programs said,
// in every process's words and environment. What clients were sent is looked at as it arrives (watched-stdio.ts).

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding } from './oracle.ts';

export interface Search {
  readonly secret: string;
  /** All files of the run. */
  readonly folder: string;
  /** Where it stands by right. */
  readonly source: string;
  /** Processes that have it by right. */
  readonly holders: readonly number[];
  /** What was said, by whom. */
  readonly said: Readonly<Record<string, string>>;
}

export async function leaks({ secret, folder, source, holders, said }: Search): Promise<Finding[]> {
  const found: string[] = [];
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || path === source) continue;
    const data = await readFile(path).catch(() => Buffer.alloc(0));
    if (data.includes(secret)) found.push(`in the file ${path.slice(folder.length + 1)}`);
  }
  for (const [who, text] of Object.entries(said)) if (text.includes(secret)) found.push(`in what ${who} said`);
  let held = false;
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const read = (what: string): Promise<Buffer> => readFile(`/proc/${name}/${what}`).catch(() => Buffer.alloc(0));
    const words = await read('cmdline');
    if (words.includes(secret)) found.push(`in the words of process ${name}`);
    const has = (await read('environ')).includes(secret);
    if (holders.includes(Number(name))) held ||= has;
    else if (has) found.push(`in the environment of ${words.toString().slice(0, 120)}`);
  }
  if (!held) found.push('with nobody: nothing was looked for');
  return found.map((text) => ({ inv: 'I9', text: `the secret is ${text}` }));
}
