// A server that does what a test tells it in its own process and says what came of it: `{method: 'run', params: {code}}`.
// The code is the body of an async function of `fs`, `net`, `os` and `child_process`; a marker stands in the command line.
import child_process from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import { createInterface } from 'node:readline';

const AsyncFunction = (async () => {}).constructor;
if (process.argv.includes('--deaf-to-eof')) setInterval(() => {}, 60_000);
// It takes a while to put its things in order.
process.on('SIGTERM', () => {
  setTimeout(() => {
    if (process.env.LAST_WORDS) fs.writeFileSync(process.env.LAST_WORDS, 'ended in order');
    process.exit(0);
  }, 300);
});
for await (const line of createInterface({ input: process.stdin })) {
  const { id, params } = JSON.parse(line);
  const run = new AsyncFunction('fs', 'net', 'os', 'child_process', params.code);
  const result = await run(fs, net, os, child_process).then(
    (value) => ({ value: value ?? null }),
    (error) => ({ failed: error.code ?? error.message }),
  );
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`);
}
