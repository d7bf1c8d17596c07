// A real process that hosts a share (./host-program.ts), to be killed, frozen or ended by a test.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { OverlayKind } from '../overlay.ts';
import { importOptions } from './node-options.ts';

export interface HostProcess extends AsyncDisposable {
  readonly share: string;
  /** Resolves when it is gone. */
  kill(): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** Lets it close its share and end. */
  end(): Promise<void>;
}

export async function spawnHost(env: NodeJS.ProcessEnv, kind: OverlayKind, share?: string): Promise<HostProcess> {
  const program = fileURLToPath(new URL('./host-program.ts', import.meta.url));
  const args = [...importOptions(), program, kind, ...(share === undefined ? [] : [share])];
  const child = spawn(process.execPath, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  const gone = once(child, 'exit');
  const stop = async (how: () => void): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) how();
    await gone;
  };
  return {
    share: await firstLine(child),
    kill: () => stop(() => child.kill('SIGKILL')),
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    end: () => stop(() => child.stdin?.end()),
    [Symbol.asyncDispose]: () => stop(() => child.kill('SIGKILL')),
  };
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    if (child.stdout) createInterface({ input: child.stdout }).once('line', resolve);
    child.once('exit', (code) => reject(new Error(`the host ended with ${code} before it was ready`)));
    child.once('error', reject);
  });
}
