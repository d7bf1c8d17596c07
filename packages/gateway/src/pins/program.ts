// What is run for a stdio backend: a digest of its command line, and of the file that it comes to, where that can be told
// without running anything. `npx` without an exact version runs what somebody else published last (abuse case T31).

import { createHash } from 'node:crypto';
import { open, readFile, realpath, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import type { TransportConfig } from '@mcp-overlay/config';
import { asObject, asString, type JsonObject } from '../call/json.ts';
import { PIN_LIMITS } from './limits.ts';
import type { ProgramFacts } from './lock-file.ts';
import { uvxPackage } from './uvx.ts';

const NPX = /^(?:npx|bunx|pnpx)(?:\.cmd)?$/;
const UVX = /^uvx(?:\.exe)?$/;
/** Options of npx that take the next word. */
const NPX_TAKES = new Set([
  '-p',
  '--package',
  '-c',
  '--call',
  '-w',
  '--workspace',
  '--registry',
  '--cache',
  '--prefix',
]);
const UVX_TAKES = new Set([
  '--from',
  '--with',
  '-p',
  '--python',
  '--index',
  '--index-url',
  '--extra-index-url',
  '--with-editable',
]);
const EXACT = /^v?\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/;
const INTERPRETERS = /^(?:node|nodejs|bun|deno|python[0-9.]*|ruby|perl|php|bash|sh)(?:\.exe)?$/;

/** Why what is run may be another program tomorrow; undefined: its version is fixed, or there is none to fix. */
export function unpinned(transport: TransportConfig): string | undefined {
  if (transport.type !== 'stdio') return undefined;
  const spec = packageOf(transport.command, transport.args);
  if (spec === undefined || spec.version !== undefined) return undefined;
  const example = spec.kind === 'npx' ? `${spec.name}@1.2.3` : `${spec.name}==1.2.3`;
  return `${baseName(transport.command)} runs whatever version of ${spec.name} was published last: name one, as in ${example}`;
}

interface PackageSpec {
  readonly kind: 'npx' | 'uvx';
  readonly text: string;
  readonly name: string;
  /** Absent: not exact. */
  readonly version: string | undefined;
}

function packageOf(command: string, args: readonly string[]): PackageSpec | undefined {
  const program = baseName(command);
  const kind = NPX.test(program) ? 'npx' : UVX.test(program) ? 'uvx' : undefined;
  if (kind === undefined) return undefined;
  const text = wordOf(args, kind);
  if (text === undefined || isPath(text)) return undefined;
  const [, name = text, version] = /^(@?[^@=]+?)(?:(?:@|==)(.*))?$/s.exec(text) ?? [];
  return { kind, text, name, version: version !== undefined && EXACT.test(version) ? version : undefined };
}

function wordOf(args: readonly string[], kind: PackageSpec['kind']): string | undefined {
  const named = kind === 'npx' ? ['-p', '--package'] : ['--from'];
  const takes = kind === 'npx' ? NPX_TAKES : UVX_TAKES;
  for (let at = 0; at < args.length; at += 1) {
    const word = args[at] ?? '';
    const [, option, value] = /^(--[a-z-]+)=(.*)$/s.exec(word) ?? [];
    if (option !== undefined && named.includes(option)) return value;
    if (named.includes(word)) return args[at + 1];
    if (takes.has(word)) at += 1;
    else if (!word.startsWith('-')) return word;
  }
  return undefined;
}

function isPath(text: string): boolean {
  return /^[./~]/.test(text) || /^(?:git|https?|file|github):|\.git$/.test(text);
}

/** undefined: nothing is run here. */
export async function programOf(transport: TransportConfig, env: NodeJS.ProcessEnv): Promise<ProgramFacts | undefined> {
  if (transport.type !== 'stdio') return undefined;
  const { command, args, cwd = process.cwd() } = transport;
  const line = digestOf(JSON.stringify([command, ...args]));
  const spec = packageOf(command, args);
  const found = spec?.kind === 'npx' ? await npxPackage(spec, cwd, env) : undefined;
  if (found) return { command: line, package: found.version, file: await fileDigest(found.entry) };
  const tool = spec?.kind === 'uvx' ? await uvxPackage(spec, env) : undefined;
  if (tool) return { command: line, package: tool.version, file: tool.digest };
  if (spec) return { command: line, package: spec.text, file: undefined };
  return { command: line, package: undefined, file: await fileDigest(await entryOf(command, args, cwd, env)) };
}

export function sameProgram(a: ProgramFacts, b: ProgramFacts): boolean {
  return a.command === b.command && a.package === b.package && a.file === b.file;
}

/** Where npx finds it: in the project, else in its cache, in a folder named after what was asked for (npm/libnpmexec). */
async function npxPackage(
  spec: PackageSpec,
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<{ version: string; entry: string | undefined } | undefined> {
  const cache = env.npm_config_cache ?? (env.HOME === undefined ? undefined : join(env.HOME, '.npm'));
  const asked = createHash('sha512').update(spec.text).digest('hex').slice(0, 16);
  const places = [
    join(cwd, 'node_modules'),
    ...(cache === undefined ? [] : [join(cache, '_npx', asked, 'node_modules')]),
  ];
  for (const place of places) {
    const folder = join(place, spec.name);
    const manifest = await manifestOf(join(folder, 'package.json'));
    if (!manifest) continue;
    const version = `${spec.name}@${asString(manifest.version) ?? ''}`;
    const bin =
      asString(manifest.bin) ?? asString(Object.values(asObject(manifest.bin) ?? {})[0]) ?? asString(manifest.main);
    return { version, entry: bin === undefined ? undefined : resolve(folder, bin) };
  }
  return undefined;
}

async function manifestOf(path: string): Promise<JsonObject | undefined> {
  try {
    return asObject(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

/** The script of an interpreter, else the program itself. */
async function entryOf(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  if (INTERPRETERS.test(baseName(command))) {
    const script = args.find((word) => !word.startsWith('-'));
    return script === undefined ? undefined : resolve(cwd, script);
  }
  if (isAbsolute(command)) return command;
  if (command.includes('/')) return resolve(cwd, command);
  for (const folder of (env.PATH ?? '').split(delimiter)) {
    const path = join(folder, command);
    if (folder !== '' && (await isFile(path))) return path;
  }
  return undefined;
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  );
}

/** undefined: it is no file that can be read, or larger than programs are. */
async function fileDigest(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    const real = await realpath(path);
    await using handle = await open(real, 'r');
    const stats = await handle.stat();
    if (!stats.isFile() || stats.size > PIN_LIMITS.programBytes) return undefined;
    const hash = createHash('sha256');
    for await (const chunk of handle.createReadStream({ autoClose: false })) hash.update(chunk as Buffer);
    return `sha256:${hash.digest('hex')}`;
  } catch {
    return undefined;
  }
}

function baseName(command: string): string {
  return command.split(/[\\/]/).at(-1) ?? command;
}

function digestOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}
