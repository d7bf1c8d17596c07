// From a wish and the tools that are there to a command line, or to the reason why there is none. Pure: what exists on disk
// was looked up before. With bubblewrap the direct child only hands on: walls first, then limits, then the server.

import { PACKAGES, type SandboxTools } from './tools.ts';
import { type SandboxRules, type SandboxWish, wantsLimits, wantsWalls } from './wish.ts';

/** A private /tmp is memory. */
export const SANDBOX_TMP_BYTES = 1024 * 1024 * 1024;

/** What a program needs to start at all; the rest of the disk only where nothing is named. */
const SYSTEM = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/etc', '/opt', '/nix', '/gnu', '/sys'];
/** Sockets of the machine's services (of containers, of desktops) lie in /run; names of hosts are looked up by these. */
const OF_RUN = ['/run/systemd/resolve', '/run/resolvconf', '/run/NetworkManager', '/run/nscd', '/run/current-system'];

export interface SandboxTarget {
  readonly command: string;
  readonly args: readonly string[];
  /** Where it runs. */
  readonly cwd: string;
  /** The operator said so: it may write there. */
  readonly cwdIsNamed: boolean;
  /** What exists and is no business of a server: our keys and tokens. */
  readonly hidden: readonly { readonly path: string; readonly isFolder: boolean }[];
}

export interface Wrapped {
  readonly command: string;
  readonly args: readonly string[];
  /** `walls`: bubblewrap is the direct child and the server its descendant. */
  readonly kind: 'walls' | 'wrapped' | 'plain';
  /** What it is, for people: `bubblewrap: …`. */
  readonly said: string;
  /** What of the wish is not there. */
  readonly missing: readonly string[];
}

export interface NoSandbox {
  readonly refused: string;
  readonly hint: string;
}

export function planSandbox(wish: SandboxWish, tools: SandboxTools, target: SandboxTarget): Wrapped | NoSandbox {
  const { command, args } = target;
  if (wish === 'none') return { command, args, kind: 'plain', said: 'none', missing: [] };
  const rules: SandboxRules = typeof wish === 'string' ? {} : wish;
  const walls = typeof wish === 'string' || wantsWalls(rules);
  const missing: string[] = [];
  const lacks = (tool: keyof SandboxTools, what: string): NoSandbox | undefined => {
    const { trouble = 'is not there' } = tools[tool];
    missing.push(`${what} (${tool} ${trouble})`);
    if (wish === 'auto') return undefined;
    return {
      refused: `its sandbox needs ${tool} (package ${PACKAGES[tool]}), which ${trouble}`,
      hint: remedyOf(tool, trouble),
    };
  };
  if (walls && tools.bwrap.path === undefined) {
    const refused = lacks('bwrap', 'no walls');
    if (refused) return refused;
  }
  if (wantsLimits(rules) && tools.prlimit.path === undefined) {
    const refused = lacks('prlimit', 'no limits');
    if (refused) return refused;
  }
  const inner = [...limitsOf(rules, tools), command, ...args];
  if (walls && tools.bwrap.path !== undefined) {
    const [said, options] = [describeWalls(rules), wallsOf(rules, tools, target)];
    return { command: tools.bwrap.path, args: [...options, '--', ...inner], kind: 'walls', said, missing };
  }
  return withoutWalls(inner, rules, tools, missing);
}

/** It ends with us and gains no rights; where there is not even that, it is as without. */
function withoutWalls(inner: string[], rules: SandboxRules, tools: SandboxTools, missing: string[]): Wrapped {
  const { path } = tools.setpriv;
  if (path === undefined) missing.push(`no end by the kernel when we die (setpriv ${tools.setpriv.trouble})`);
  const line = path === undefined ? inner : [path, '--pdeathsig', 'KILL', '--no-new-privs', '--', ...inner];
  const [command = '', ...args] = line;
  const parts = [
    ...(path === undefined ? [] : ['setpriv: it ends with us, gains no rights']),
    ...describeLimits(rules),
  ];
  const said = parts.join('; ');
  return parts.length === 0
    ? { command, args, kind: 'plain', said: 'none', missing }
    : { command, args, kind: 'wrapped', said, missing };
}

/** Data and not address space: V8 and Go reserve much more of that than they ever use. */
function limitsOf({ memoryBytes, files, processes }: SandboxRules, { prlimit }: SandboxTools): string[] {
  const limits = [
    ...(memoryBytes === undefined ? [] : [`--data=${memoryBytes}`]),
    ...(files === undefined ? [] : [`--nofile=${files}`]),
    ...(processes === undefined ? [] : [`--nproc=${processes}`]),
  ];
  return limits.length === 0 || prlimit.path === undefined ? [] : [prlimit.path, ...limits, '--'];
}

function wallsOf(rules: SandboxRules, { bwrap }: SandboxTools, target: SandboxTarget): string[] {
  const { tmp = 'private', network = true, read, write = [] } = rules;
  const size = bwrap.sizes ? ['--size', String(SANDBOX_TMP_BYTES)] : [];
  const also = (kind: string, paths: readonly string[]): string[] => paths.flatMap((path) => [kind, path, path]);
  const { shown, folder } = workingFolder(rules, target);
  // What comes later lies over what came before.
  return [
    '--die-with-parent',
    ...['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'],
    ...(network ? [] : ['--unshare-net']),
    ...['--cap-drop', 'ALL'],
    ...(read === undefined ? also('--ro-bind', ['/']) : also('--ro-bind-try', SYSTEM)),
    ...['--dev', '/dev', '--proc', '/proc'],
    ...(tmp === 'private' ? [...size, '--tmpfs', '/tmp'] : also('--bind', ['/tmp'])),
    ...['--tmpfs', '/run', ...also('--ro-bind-try', OF_RUN)],
    ...also('--ro-bind', read ?? []),
    ...hide(
      target,
      read === undefined ? ['/'] : [...SYSTEM, ...OF_RUN, ...(tmp === 'shared' ? ['/tmp'] : []), ...read],
    ),
    ...also('--bind', write),
    ...also(target.cwdIsNamed ? '--bind' : '--ro-bind', shown),
    ...hide(target, [...write, ...(target.cwdIsNamed ? shown : [])]),
    ...['--chdir', folder],
  ];
}

/** What would be seen by these being shown. */
function hide({ hidden }: SandboxTarget, shown: readonly string[]): string[] {
  return hidden
    .filter(({ path }) => shown.some((one) => isBelow(path, one)))
    .flatMap(({ path, isFolder }) => (isFolder ? ['--tmpfs', path] : ['--ro-bind', '/dev/null', path]));
}

/** Where it runs, and whether that must be shown anew. A folder that nobody named is shown only where all is. */
function workingFolder(rules: SandboxRules, { cwd, cwdIsNamed }: SandboxTarget): { shown: string[]; folder: string } {
  if (cwdIsNamed) return { shown: [cwd], folder: cwd };
  const { tmp = 'private', read, write = [] } = rules;
  const known = [...(read ?? ['/']), ...write];
  if (!known.some((path) => isBelow(cwd, path))) return { shown: [], folder: '/' };
  const covered = [...(tmp === 'private' ? ['/tmp'] : []), '/run'].some((path) => cwd !== path && isBelow(cwd, path));
  return { shown: covered && read === undefined ? [cwd] : [], folder: cwd };
}

export function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);
}

function describeWalls(rules: SandboxRules): string {
  const { tmp = 'private', network = true, read, write = [] } = rules;
  return [
    'bubblewrap: processes of its own',
    tmp === 'private' ? 'a private /tmp' : 'the common /tmp',
    network ? 'the network' : 'no network',
    read === undefined ? 'reads all but our keys' : `reads the system and ${read.length} named folders`,
    `writes ${write.length === 0 ? 'its working folder only' : `${write.length} named folders`}`,
    ...describeLimits(rules),
  ].join(', ');
}

function describeLimits({ memoryBytes, files, processes }: SandboxRules): string[] {
  return [
    ...(memoryBytes === undefined ? [] : [`at most ${memoryBytes} bytes of data a process`]),
    ...(files === undefined ? [] : [`at most ${files} open files`]),
    ...(processes === undefined ? [] : [`at most ${processes} processes`]),
  ];
}

function remedyOf(tool: keyof SandboxTools, trouble: string): string {
  if (process.platform !== 'linux') return 'there are sandboxes on Linux only; sandbox: none';
  if (trouble === 'is not there') return `install ${PACKAGES[tool]}, or take less: sandbox: auto`;
  const why = tool === 'bwrap' ? 'user namespaces may be forbidden (kernel.unprivileged_userns_clone, AppArmor); ' : '';
  return `${why}run it by hand to see why (${tool} --ro-bind / / --dev /dev --proc /proc --unshare-pid true), or take less: sandbox: auto`;
}
