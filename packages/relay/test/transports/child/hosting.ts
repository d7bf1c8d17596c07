// A program that hosts children, to be killed by the test: `node --import tsx hosting.ts '<scripts as JSON>'`. It prints
// `ready` when every child has answered and done its acts, `closing` and `closed` around an orderly end (SIGUSR2).
import { LIMITS } from '../../../src/limits.ts';
import { scriptedServer } from '../../../src/testing/scripted-server.ts';
import { spawnChild } from '../../../src/transports/child/child.ts';
import { safeEnvironment } from '../../../src/transports/child/environment.ts';
import { processWatcher } from '../../../src/transports/child/watcher.ts';

const { scripts, acts } = JSON.parse(process.argv[2] ?? '{}');

const children = scripts.map((script: object) => {
  const { command, args } = scriptedServer(script);
  return spawnChild({ name: 'hosted', command, args, env: safeEnvironment(process.env, {}), limits: LIMITS });
});

await Promise.all(
  children.map(
    (child: ReturnType<typeof spawnChild>) =>
      new Promise<void>((resolve) => {
        child.start({ message: () => resolve(), fault() {}, closed() {} });
        const params = { name: 'act', arguments: { acts } };
        const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }));
        child.send({ kind: 'request', id: '1', method: 'tools/call', bytes });
      }),
  ),
);
process.on('SIGUSR2', async () => {
  await Promise.all(children.map((child: ReturnType<typeof spawnChild>) => child.close()));
  await processWatcher().close();
  process.stdout.write('closed\n');
  process.exit(0);
});

// Last of all: whoever reads it may send the signal at once.
process.stdout.write(`ready ${processWatcher().pid}\n`);
