// Output: a program of the operator's, run for each alarm with the alarm on its stdin. No shell, nothing of an alarm in its
// arguments, a short safe environment, and an end: what does not end by itself is killed with its group.

import { spawn } from 'node:child_process';
import type { Send } from './deliver.ts';

export interface CommandOptions {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

export function commandOutput({ argv, cwd, env, timeoutMs }: CommandOptions): Send {
  const [program = '', ...args] = argv;
  return (text, signal) =>
    new Promise((resolve, reject) => {
      const child = spawn(program, args, {
        cwd,
        env,
        shell: false,
        detached: true,
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      let late: string | undefined;
      const kill = (why: string): void => {
        late ??= why;
        try {
          if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
        } catch {
          // It ended meanwhile.
        }
      };
      const timer = setTimeout(() => kill(`${program} took longer than ${timeoutMs} ms`), timeoutMs);
      const onAbort = (): void => kill('the gateway is ending');
      signal.addEventListener('abort', onAbort, { once: true });
      const over = (why: string | undefined): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
        if (why === undefined) resolve();
        else reject(new Error(why));
      };
      child.once('error', (error: NodeJS.ErrnoException) => over(`${program} cannot be run (${error.code})`));
      child.once('exit', (code, by) => over(late ?? (code === 0 ? undefined : `${program} ended with ${code ?? by}`)));
      // A program that does not read it is nobody's trouble.
      child.stdin.on('error', () => {});
      child.stdin.end(`${text}\n`);
    });
}
