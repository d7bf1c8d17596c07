// What the tests of sockets share: temporary folders, dead sockets, raw connections, contending processes.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { importOptions } from '../../src/testing/index.ts';

export async function tempFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'overlay-socket-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A socket file that nobody listens on any more, as a killed process leaves it. */
export async function deadSocket(path: string): Promise<void> {
  const server = createServer().listen(`${path}.tmp`);
  await once(server, 'listening');
  await rename(`${path}.tmp`, path);
  server.close();
  await once(server, 'close');
}

/** Everything that whoever listens there says until the end. */
export async function heard(path: string): Promise<string> {
  const socket = connect(path);
  let text = '';
  for await (const chunk of socket) text += chunk;
  return text;
}

export interface Contender extends AsyncDisposable {
  readonly child: ChildProcess;
  /** The next thing it says. */
  said(): Promise<string>;
  kill(): Promise<void>;
}

export async function contender(): Promise<Contender> {
  const program = fileURLToPath(new URL('./fixtures/contender.ts', import.meta.url));
  const child = fork(program, { execArgv: importOptions() });
  const gone = once(child, 'exit');
  const kill = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await gone;
  };
  const said = async (): Promise<string> => {
    const over = gone.then(([code, signal]) => [`ended with ${code ?? signal}`]);
    const [word] = await Promise.race([once(child, 'message'), over]);
    return String(word);
  };
  await said();
  return { child, said, kill, [Symbol.asyncDispose]: kill };
}
