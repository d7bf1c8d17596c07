// What `uvx` would run, told without running it: the environment of a tool that was installed, else the newest that was made for
// it in uv's cache (docs.astral.sh/uv/concepts/tools, /reference/storage). Its digest is that of the package's own list of
// files, which has the SHA-256 of each (PEP 376, RECORD); scripts that the installation made beside it are not part of it.

import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { PIN_LIMITS } from './limits.ts';

export interface UvxSpec {
  /** As it is written: `name`, `name==1.2`, `name[extra]>=1`, `name@latest`. */
  readonly text: string;
  /** Absent: not exact. */
  readonly version: string | undefined;
}

export interface UvxPackage {
  readonly version: string;
  readonly digest: string | undefined;
}

interface Found {
  readonly version: string;
  readonly record: string;
  readonly at: number;
}

export async function uvxPackage(spec: UvxSpec, env: NodeJS.ProcessEnv): Promise<UvxPackage | undefined> {
  const [name] = /^[A-Za-z0-9][A-Za-z0-9._-]*/.exec(spec.text) ?? [];
  if (name === undefined) return undefined;
  const home = env.HOME ?? homedir();
  const tools = env.UV_TOOL_DIR ?? join(env.XDG_DATA_HOME ?? join(home, '.local', 'share'), 'uv', 'tools');
  const cache = env.UV_CACHE_DIR ?? join(env.XDG_CACHE_HOME ?? join(home, '.cache'), 'uv');
  // What is installed is run where it will do; `@latest` asks for what was published last.
  const installed = spec.text.endsWith('@latest') ? [] : [join(tools, normalized(name, '-'))];
  for (const places of [installed, await cached(cache)]) {
    const found = (await Promise.all(places.map((place) => packageIn(place, name)))).flat();
    const fitting = found.filter(({ version }) => spec.version === undefined || version === spec.version);
    const [newest] = fitting.toSorted((a, b) => b.at - a.at);
    if (newest) return { version: `${name}==${newest.version}`, digest: await digestOf(newest.record) };
  }
  return undefined;
}

/** PEP 503 and the names of folders: `-` in one, `_` in the other. */
function normalized(name: string, by: '-' | '_'): string {
  return name.toLowerCase().replace(/[-_.]+/g, by);
}

/** Environments that uvx made: `environments-v2/<interpreter>/<what was asked for>`. */
async function cached(cache: string): Promise<string[]> {
  const [folder] = (await names(cache))
    .filter((one) => /^environments-v\d+$/.test(one))
    .sort((a, b) => serial(b) - serial(a));
  if (folder === undefined) return [];
  const interpreters = await names(join(cache, folder));
  const all = await Promise.all(
    interpreters.map(async (one) =>
      (await names(join(cache, folder, one))).map((made) => join(cache, folder, one, made)),
    ),
  );
  return all
    .flat()
    .filter((path) => !path.endsWith('.lock'))
    .slice(0, PIN_LIMITS.environments);
}

function serial(folder: string): number {
  return Number(/\d+$/.exec(folder)?.[0]);
}

async function packageIn(environment: string, name: string): Promise<Found[]> {
  const lib = join(environment, 'lib');
  const pythons = (await names(lib)).filter((one) => one.startsWith('python'));
  const sites = [...pythons.map((one) => join(lib, one, 'site-packages')), join(environment, 'Lib', 'site-packages')];
  const found: Found[] = [];
  for (const site of sites) {
    for (const entry of await names(site)) {
      const [, of = '', version] = /^(.+)-([^-]+)\.dist-info$/.exec(entry) ?? [];
      if (version === undefined || normalized(of, '_') !== normalized(name, '_')) continue;
      const at = await stat(join(site, entry)).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      );
      found.push({ version, record: join(site, entry, 'RECORD'), at });
    }
  }
  return found;
}

async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

async function digestOf(record: string): Promise<string | undefined> {
  try {
    if ((await stat(record)).size > PIN_LIMITS.recordBytes) return undefined;
    const lines = (await readFile(record, 'utf8')).split(/\r?\n/);
    // Of another folder are scripts; without a hash are this list and what the installer adds.
    const own = lines.filter(
      (line) =>
        !line.startsWith('..') &&
        /,sha256=[\w-]+,\d*$/.test(line) &&
        !/dist-info\/(?:INSTALLER|REQUESTED|direct_url\.json|uv_cache\.json),/.test(line),
    );
    return `sha256:${createHash('sha256').update(own.sort().join('\n')).digest('hex')}`;
  } catch {
    return undefined;
  }
}
