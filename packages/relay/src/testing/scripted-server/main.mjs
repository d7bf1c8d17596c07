// The scripted MCP server: `node main.mjs '<script as JSON>'` (type ServerScript in ../scripted-server.ts).
// This file owns start, end and the reading of lines; ./server.mjs answers, ./acts.mjs misbehaves.

import { writeSync } from 'node:fs';
import { performActs } from './acts.mjs';
import { createOutput } from './output.mjs';
import { createServer } from './server.mjs';

const script = JSON.parse(process.argv[2] ?? '{}');

if (script.grandchild !== undefined) runGrandchild(script.grandchild);
else await runServer();

/** Lives until it is killed. Tells its pid on descriptor 3 once it has taken its stand. */
function runGrandchild({ deaf }) {
  if (deaf) for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT']) process.on(signal, () => {});
  setInterval(() => {}, 1 << 30);
  writeSync(3, `${process.pid}\n`);
}

async function runServer() {
  if (script.ignoreSigterm) for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT']) process.on(signal, () => {});
  if (script.ignoreEof || script.neverReads) setInterval(() => {}, 1 << 30);
  const output = createOutput(script);
  const server = createServer(script, output);
  if (script.startDelayMs) await new Promise((resolve) => setTimeout(resolve, script.startDelayMs));
  await performActs(script.atStart ?? [], { script, server, output });
  if (!script.neverReads) readLines(server, output);
}

function readLines(server, output) {
  let parts = [];
  process.stdin.on('data', (chunk) => {
    let from = 0;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
      parts.push(chunk.subarray(from, at));
      const line = Buffer.concat(parts).toString();
      parts = [];
      from = at + 1;
      if (line.trim() !== '') server.receive(line);
    }
    if (from < chunk.length) parts.push(chunk.subarray(from));
  });
  process.stdin.on('error', () => {});
  process.stdin.on('end', () => {
    if (!script.ignoreEof) output.flushed().then(() => process.exit(0));
  });
}
