// The state folder: `~/.mcp-overlay`, or MCP_OVERLAY_HOME. Whoever can open it owns this user's shares, so it is looked at
// with lstat each time: ours, 0700, not a link. One rule on every system; XDG_RUNTIME_DIR is not used, because desktops,
// cron and ssh disagree on it and a reboot empties it.

import type { Stats } from 'node:fs';
import { lstat, mkdir } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { OverlayError } from './errors.ts';
import { systemUser } from './user.ts';

export interface StateFolder {
  readonly path: string;
  /** One entry file for each share. */
  readonly shares: string;
  /** Sockets of hosted shares. */
  readonly run: string;
  /** Admin sockets of running gateways. */
  readonly admin: string;
  readonly secrets: string;
  /** Who came to each share, and who was let in by hand. */
  readonly peers: string;
  /** Keys of access tokens, what was made with them, and what was revoked. */
  readonly tokens: string;
  /** What running programs have made on a zrok network, to be removed if they die. */
  readonly records: string;
  /** What was spent of daily budgets of callers. */
  readonly budgets: string;
  /** What audit logs of others told us of our calls. */
  readonly receipts: string;
  /** What alarms learned, what rang, what is silenced. */
  readonly alarms: string;
  /** What servers were seen to say of themselves, by configuration that has no lock file of its own. */
  readonly pins: string;
  /** How calls with a key ended, by share. */
  readonly ledgers: string;
}

/** Makes what is absent. Throws `state_folder_unsafe`. `homeDir` stands in for the user's home. */
export async function stateFolder(env: NodeJS.ProcessEnv, homeDir?: string): Promise<StateFolder> {
  const path = statePath(env, homeDir);
  const folder = {
    path,
    shares: join(path, 'shares'),
    run: join(path, 'run'),
    admin: join(path, 'admin'),
    secrets: join(path, 'secrets'),
    peers: join(path, 'peers'),
    tokens: join(path, 'tokens'),
    records: join(path, 'records'),
    budgets: join(path, 'budgets'),
    receipts: join(path, 'receipts'),
    alarms: join(path, 'alarms'),
    pins: join(path, 'pins'),
    ledgers: join(path, 'ledgers'),
  };
  await makeOwn(path);
  const { path: _itself, ...rooms } = folder;
  await Promise.all(Object.values(rooms).map(makeOwn));
  return folder;
}

/** Where this user's keys and tokens are, as far as we know of them: what a server on this machine has no business with. */
export function privatePlaces(env: NodeJS.ProcessEnv, identity?: string): readonly string[] {
  const places = [statePath(env, undefined), join(userHome(env), '.zrok2')];
  return identity === undefined ? places : [...places, resolve(identity)];
}

/** Why others could get into this folder; undefined when they cannot. */
export function unsafeBecause(stats: Stats): 'link' | 'no folder' | 'owner' | 'mode' | undefined {
  if (stats.isSymbolicLink()) return 'link';
  if (!stats.isDirectory()) return 'no folder';
  if (process.getuid !== undefined && stats.uid !== process.getuid()) return 'owner';
  return (stats.mode & 0o077) === 0 ? undefined : 'mode';
}

function statePath(env: NodeJS.ProcessEnv, homeDir: string | undefined): string {
  const { MCP_OVERLAY_HOME: moved, HOME: home } = env;
  if (moved) return resolve(moved);
  return join(userHome({ HOME: home }, homeDir), '.mcp-overlay');
}

/**
 * The user's home. An agent may start us with an empty environment: then the user database knows. Not os.homedir(): it
 * believes any HOME, and a relative one would mean another folder for each place we are started in.
 */
export function userHome({ HOME: home }: NodeJS.ProcessEnv, homeDir?: string): string {
  const found = homeDir ?? (home && isAbsolute(home) ? home : systemUser().home);
  if (found !== undefined) return found;
  throw unsafe('this user has no home folder', 'set HOME, or name a folder in MCP_OVERLAY_HOME');
}

async function makeOwn(path: string): Promise<void> {
  const stats = await lstat(path).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw unusable(path, error);
    await mkdir(path, { recursive: true, mode: 0o700 }).catch((cause: Error) => {
      throw unusable(path, cause);
    });
    return lstat(path);
  });
  const why = unsafeBecause(stats);
  if (why === undefined) return;
  const move = 'or name another folder in MCP_OVERLAY_HOME';
  switch (why) {
    case 'link':
      throw unsafe(`the state folder ${path} is a symbolic link`, `put a folder in its place, ${move}`);
    case 'no folder':
      throw unsafe(`the state folder ${path} is not a folder`, `move it away, ${move}`);
    case 'owner':
      throw unsafe(`the state folder ${path} belongs to another user (uid ${stats.uid})`, `chown it, ${move}`);
    case 'mode': {
      const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
      throw unsafe(`the state folder ${path} is open to others (mode ${mode})`, `chmod 700 ${quoted(path)}`);
    }
  }
}

function unsafe(message: string, hint: string): OverlayError {
  return new OverlayError('state_folder_unsafe', message, { hint });
}

function unusable(path: string, cause: Error): OverlayError {
  return new OverlayError('state_folder_unsafe', `the state folder ${path} cannot be used: ${cause.message}`, {
    hint: 'name a folder that this user can write to in MCP_OVERLAY_HOME',
    cause,
  });
}

/** For a shell. */
function quoted(path: string): string {
  return /^[\w./~+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
