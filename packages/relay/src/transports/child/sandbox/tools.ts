// The programs that a sandbox is made with, looked for once and tried: bubblewrap may be installed and still be forbidden
// (no user namespaces), and small systems have a setpriv without the options that we need.

import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Each of them is done in milliseconds. */
const TRY_MS = 10_000;

export interface SandboxTool {
  /** Absolute; undefined: it is not there, or does not work here. */
  readonly path: string | undefined;
  /** Why not, for people. */
  readonly trouble: string | undefined;
}

export interface SandboxTools {
  readonly bwrap: SandboxTool & {
    /** It can bound a tmpfs (bubblewrap 0.7 and later). */
    readonly sizes: boolean;
  };
  readonly prlimit: SandboxTool;
  readonly setpriv: SandboxTool;
}

/** What to install, by the names that Debian, Ubuntu, Fedora, Arch and Alpine have for it. */
export const PACKAGES = { bwrap: 'bubblewrap', prlimit: 'util-linux', setpriv: 'util-linux' } as const;

export const NO_TOOLS: SandboxTools = {
  bwrap: { path: undefined, trouble: 'is not there', sizes: false },
  prlimit: { path: undefined, trouble: 'is not there' },
  setpriv: { path: undefined, trouble: 'is not there' },
};

/** `path`: where programs are looked for, ours and not the child's. */
export async function findSandboxTools(path = process.env.PATH ?? ''): Promise<SandboxTools> {
  if (process.platform !== 'linux') return NO_TOOLS;
  const [bwrap, prlimit, setpriv] = await Promise.all([
    // As it will be used: a new /proc is what containers refuse.
    tried('bwrap', path, ['--unshare-pid', '--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc', '--', 'true']),
    tried('prlimit', path, ['--nofile=64', '--', 'true']),
    tried('setpriv', path, ['--pdeathsig', 'KILL', '--no-new-privs', '--', 'true']),
  ]);
  const help = bwrap.path === undefined ? '' : (await run(bwrap.path, ['--help'])).said;
  return { bwrap: { ...bwrap, sizes: help.includes('--size ') }, prlimit, setpriv };
}

async function tried(name: string, path: string, args: readonly string[]): Promise<SandboxTool> {
  const file = lookUp(name, `${path}${delimiter}/usr/bin${delimiter}/bin`);
  if (file === undefined) return { path: undefined, trouble: 'is not there' };
  const { ok, said } = await run(file, args);
  return ok ? { path: file, trouble: undefined } : { path: undefined, trouble: `does not work here: ${said}` };
}

/** The first file of that name that may be executed; relative entries of PATH are not looked at. */
export function lookUp(name: string, path: string): string | undefined {
  const files = path
    .split(delimiter)
    .filter((folder) => folder.startsWith('/'))
    .map((folder) => join(folder, name));
  return files.find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function run(file: string, args: readonly string[]): Promise<{ ok: boolean; said: string }> {
  return new Promise((resolve) => {
    const env = { PATH: '/usr/bin:/bin' };
    execFile(file, [...args], { env, cwd: '/', timeout: TRY_MS, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      const said = `${stdout}${stderr}`.trim();
      resolve({ ok: error === null, said: said === '' ? (error?.message ?? '') : said });
    });
  });
}
