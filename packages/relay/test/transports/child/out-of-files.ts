// A program that has no file left when it starts a child, and then has some again: `node --import tsx out-of-files.ts`
// under a low `ulimit -n`. It prints what came of both children as JSON.
import { closeSync, openSync } from 'node:fs';
import { LIMITS } from '../../../src/limits.ts';
import { scriptedServer } from '../../../src/testing/scripted-server.ts';
import { spawnChild } from '../../../src/transports/child/child.ts';
import { safeEnvironment } from '../../../src/transports/child/environment.ts';
import { processWatcher } from '../../../src/transports/child/watcher.ts';

const env = safeEnvironment(process.env, {});
const start = () => spawnChild({ name: 'fs', ...scriptedServer(), env, limits: LIMITS });

const held: number[] = [];
try {
  for (;;) held.push(openSync('/dev/null', 'r'));
} catch {
  // None is left.
}
const poor = start();
const closed = new Promise((resolve) => poor.start({ message() {}, fault() {}, closed: resolve }));
const failure = (await poor.started.catch((error: unknown) => error)) as { code: string; message: string };
const reason = await closed;
for (const file of held) closeSync(file);

const rich = start();
rich.start({ message() {}, fault() {}, closed() {} });
await rich.started;
const watched = processWatcher().pid !== undefined;
await rich.close();
await processWatcher().close();
process.stdout.write(JSON.stringify({ code: failure.code, message: failure.message, reason, watched }));
