// Loaded into a program with --import: on SIGUSR2 it collects garbage and appends what is left to CHAOS_HEAP_FILE, one JSON
// line: {pid, at, heap, rss, resources}, where resources are what keeps the event loop alive, by kind.

import { appendFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const file = process.env.CHAOS_HEAP_FILE;
// Not for what this program starts.
delete process.env.CHAOS_HEAP_FILE;
delete process.env.NODE_OPTIONS;
/** A fault may leave no room for it: later, then. */
function say(line) {
  try {
    appendFileSync(file, line);
  } catch {
    setTimeout(() => say(line), 200).unref();
  }
}

if (file !== undefined) {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  process.on('SIGUSR2', () => {
    collect();
    collect();
    const { heapUsed, rss } = process.memoryUsage();
    const resources = {};
    for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
    const line = { pid: process.pid, at: Date.now(), heap: heapUsed, rss, resources };
    say(`${JSON.stringify(line)}\n`);
  });
}
