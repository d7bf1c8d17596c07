// The server of the chaos runs (legacy, plain node): `node server.mjs NAME LEDGER MOOD MARKER`. Every call is a line of the
// ledger, written and synced before anything else happens: {event, server, nonce, tool, sha256, pid, at}.
// How it misbehaves stands in the file MOOD, read at start and at each call, so that a run can change it: empty (well),
// `exit0` `crash` `hang-start` `deaf` at start; `crash-on-call` `crash-once` `hang-on-call` `drip` `garbage` `flood` at a call.

import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';

const [name = 'server', ledger = '', moodFile = ''] = process.argv.slice(2);
const schema = { type: 'object', properties: { nonce: { type: 'string' }, payload: { type: 'string' } } };
const tools = ['do', 'forbidden'].map((tool) => ({ name: tool, description: `${tool} it`, inputSchema: schema }));

function mood() {
  try {
    return readFileSync(moodFile, 'utf8').trim();
  } catch {
    return '';
  }
}

function record(facts) {
  const file = openSync(ledger, 'a', 0o600);
  writeSync(file, `${JSON.stringify({ event: 'call', server: name, ...facts, pid: process.pid, at: Date.now() })}\n`);
  fsyncSync(file);
  closeSync(file);
}

/** One after the other, as a slow writer would do it. */
let tail = Promise.resolve();
function say(value, slowly = false) {
  const bytes = Buffer.from(typeof value === 'string' ? value : `${JSON.stringify({ jsonrpc: '2.0', ...value })}\n`);
  tail = tail.then(async () => {
    const step = slowly ? 16 : bytes.length;
    for (let at = 0; at < bytes.length; at += step) {
      await new Promise((done) => process.stdout.write(bytes.subarray(at, at + step), done));
      if (slowly) await wait(1);
    }
  });
  return tail;
}

const GARBAGE = [
  'Server listening on nothing\n',
  '{"jsonrpc":"2.0","method":"notifications/mess\n',
  '{"level":30,"msg":"a logger that thinks stdout is its own"}\n',
  '{"jsonrpc":"2.0","id":987654321,"result":{"content":[]}}\n',
  '{"jsonrpc":"2.0","id":"nobody asked","error":{"code":-1,"message":"no"}}\n',
  '\ufeff\r\n{"jsonrpc":"2.0",\0"method":"x/nul"}\n',
];

async function call(id, { name: tool, arguments: args = {}, _meta: meta = {} }) {
  const { nonce = null, payload = '', ms = 0, steps = 0 } = args;
  const sha256 = createHash('sha256').update(payload).digest('hex');
  record({ tool, nonce, sha256 });
  const now = mood();
  if (now === 'crash-on-call') process.exit(3);
  if (now === 'crash-once') {
    writeFileSync(moodFile, '');
    process.exit(3);
  }
  if (now === 'hang-on-call') return;
  if (now === 'garbage') for (const line of GARBAGE) say(line);
  if (now === 'flood') say('flood\n'.repeat(20_000));
  for (let n = 1; n <= steps; n += 1) {
    await wait(ms / steps);
    const params = { progressToken: meta.progressToken, progress: n, total: steps, message: nonce };
    if (meta.progressToken !== undefined) say({ method: 'notifications/progress', params });
  }
  if (steps === 0 && ms > 0) await wait(ms);
  const text = JSON.stringify({
    nonce,
    sha256,
    payload,
    server: name,
    pid: process.pid,
    secret: process.env.CHAOS_SECRET,
  });
  say({ id, result: { content: [{ type: 'text', text }] } }, now === 'drip');
}

function answer({ id, method, params = {} }) {
  if (id === undefined) return;
  if (method === 'tools/call') void call(id, params);
  else if (method === 'tools/list') say({ id, result: { tools } });
  else if (method === 'ping') say({ id, result: {} });
  else if (method === 'initialize') {
    if (start === 'hang-start') return;
    const { protocolVersion } = params;
    say({ id, result: { protocolVersion, capabilities: { tools: {} }, serverInfo: { name, version: '1' } } });
  } else say({ id, error: { code: -32601, message: `no ${method}` } });
}

// Whoever has a secret may say it anywhere: what becomes of that is not this server's business.
const { CHAOS_SECRET: secret } = process.env;
if (secret !== undefined) process.stderr.write(`my secret is ${secret}\n`);

const start = mood();
if (start === 'exit0') process.exit(0);
if (start === 'crash') process.exit(3);
if (start === 'deaf') setInterval(() => {}, 1 << 30);
else {
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    try {
      answer(JSON.parse(line));
    } catch {
      say({ id: null, error: { code: -32700, message: 'parse error' } });
    }
  });
  lines.on('close', () => tail.then(() => process.exit(0)));
}
