// Puts children into sandboxes: looks once what the system has, checks what a wish names, says once for each child what it
// came to. Whoever starts children has one of these; `spawnChild` takes what comes out.

import { existsSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { RelayError } from '../../../errors.ts';
import type { StartOptions } from '../start.ts';
import { startError } from '../start.ts';
import type { ChildLog } from '../watcher.ts';
import { isBelow, planSandbox, type Wrapped } from './plan.ts';
import { findSandboxTools, lookUp, type SandboxTools } from './tools.ts';
import type { SandboxWish } from './wish.ts';

export interface SandboxOptions {
  readonly log?: ChildLog | undefined;
  /** Files and folders that no child may see: keys, tokens. */
  readonly hidden?: readonly string[];
  /** Default: looked for in our own PATH. */
  readonly tools?: () => Promise<SandboxTools>;
}

export class Sandbox {
  readonly #options: SandboxOptions;
  readonly #told = new Set<string>();
  #tools: Promise<SandboxTools> | undefined;

  constructor(options: SandboxOptions = {}) {
    this.#options = options;
  }

  /** undefined: it is started as it is. Rejects with RelayError `child_start_failed` where the wish cannot be met. */
  async wrap(wish: SandboxWish, start: StartOptions): Promise<Wrapped | undefined> {
    if (wish === 'none') return undefined;
    this.#tools ??= (this.#options.tools ?? findSandboxTools)();
    const tools = await this.#tools;
    const cwd = realFolder(start.cwd ?? process.cwd());
    const named = typeof wish === 'object' ? [...(wish.read ?? []), ...(wish.write ?? [])] : [];
    const gone = named.find((path) => !existsSync(path));
    if (gone !== undefined) {
      throw refusal(
        start,
        `${gone}, which its sandbox names, is not there`,
        'make it, or correct sandbox.read and write',
      );
    }
    // Once it is wrapped, nobody could tell a missing command from a missing anything.
    if (cwd === undefined || !isThere(start, cwd)) throw startError(start, { code: 'ENOENT' });
    const places = (this.#options.hidden ?? []).flatMap(placeOf);
    const hidden = [...places, ...named.flatMap((path) => alsoBelow(path, places))];
    const plan = planSandbox(wish, tools, { ...start, cwd, cwdIsNamed: start.cwd !== undefined, hidden });
    if ('refused' in plan) throw refusal(start, plan.refused, plan.hint);
    this.#tell(start.name, plan);
    return plan;
  }

  #tell(name: string, { said, missing }: Wrapped): void {
    const key = `${name}: ${said}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    const { log } = this.#options;
    if (missing.length === 0) log?.info({ backend: name, sandbox: said }, 'sandbox');
    else log?.warn({ backend: name, sandbox: said, missing: missing.join('; ') }, 'sandbox is less than it could be');
  }
}

function isThere({ command, env }: StartOptions, cwd: string): boolean {
  if (!command.includes('/')) return lookUp(command, env.PATH ?? '/usr/bin:/bin') !== undefined;
  return existsSync(isAbsolute(command) ? command : resolve(cwd, command));
}

function placeOf(path: string): { path: string; isFolder: boolean }[] {
  try {
    return [{ path: realpathSync(path), isFolder: statSync(path).isDirectory() }];
  } catch {
    return [];
  }
}

/** A folder that is named by a link is shown by that name, and what is hidden in it lies below that name too. */
function alsoBelow(named: string, places: readonly { path: string; isFolder: boolean }[]) {
  const real = realpathSync(named);
  if (real === named) return [];
  const inside = places.filter(({ path }) => isBelow(path, real));
  return inside.map(({ path, isFolder }) => ({ path: `${named}${path.slice(real.length)}`, isFolder }));
}

function realFolder(path: string): string | undefined {
  try {
    return statSync(path).isDirectory() ? realpathSync(path) : undefined;
  } catch {
    return undefined;
  }
}

function refusal({ name, command }: StartOptions, what: string, hint: string): RelayError {
  return new RelayError('child_start_failed', `${name} did not start: ${what}`, {
    facts: { backend: name, command },
    hint,
  });
}
