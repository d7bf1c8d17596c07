// What a server may do besides answering, wanted and unwanted (type Act in ../scripted-server.ts). `scene` is
// {script, server, output, call?}; within a tools/call, `call` is {id, token, signal}.

import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('./main.mjs', import.meta.url));

/** One after the other. Returns what each one has to tell (null: nothing). */
export async function performActs(acts, scene) {
  const told = [];
  for (const act of acts) {
    const perform = ACTS[act.do];
    if (perform === undefined) throw new Error(`no such act: ${act.do}`);
    told.push((await perform(act, scene)) ?? null);
  }
  return told;
}

const ACTS = {
  garbage: (act, scene) => GARBAGE[act.kind](scene, act),
  print: ({ text, stream, end = '\n' }, { output }) => output.raw(`${text}${end}`, stream),
  raw: ({ base64 }, { output }) => output.raw(Buffer.from(base64, 'base64')),
  flood,
  spawn: startGrandchild,
  die,
  sleep: ({ ms }, { call }) => sleep(ms, call?.signal),
  hang: (_act, { call }) => sleep(1 << 30, call?.signal),
  block() {
    for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
  },
  close_stdin: () => process.stdin.destroy(),
  close_stdout: () => closeSync(1),
  notify: ({ method, params }, { server }) => server.notify(method, params),
  ask: ({ method, params }, { server }) => server.ask(method, params),
  log({ level = 'info', count = 1, data }, { server }) {
    for (let n = 0; n < count; n += 1) server.log(level, data ?? { n });
  },
  async progress({ steps, everyMs = 0 }, { server, call }) {
    if (call?.token === undefined) return 'no token';
    for (let n = 1; n <= steps; n += 1) {
      if (everyMs > 0) await sleep(everyMs, call.signal);
      server.notify('notifications/progress', {
        progressToken: call.token,
        progress: n,
        total: steps,
        message: `step ${n}`,
      });
    }
    return steps;
  },
  tools: ({ add = [], remove = [], silent }, { server }) => server.changeTools(add, remove, silent),
  update: ({ uri }, { server }) => server.updateResource(uri),
};

const LOG = { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'noise' } };

const GARBAGE = {
  non_json: ({ output }) => output.line('Server listening on nothing in particular'),
  partial_json: ({ output }) => output.line('{"jsonrpc":"2.0","method":"notifications/mess'),
  not_json_rpc: ({ output }) => output.line('{"level":30,"msg":"a logger that thinks stdout is its own"}'),
  batch: ({ output }) => output.line(JSON.stringify([LOG, LOG])),
  deep: ({ output }) =>
    output.line(`{"jsonrpc":"2.0","method":"x/deep","params":${'['.repeat(10_000)}${']'.repeat(10_000)}}`),
  invalid_utf8: ({ output }) =>
    output.raw(
      Buffer.concat([Buffer.from('{"jsonrpc":"2.0","method":"x/'), Buffer.of(0xc3, 0x28), Buffer.from('"}\n')]),
    ),
  bom: ({ output }) => output.raw(`\ufeff${JSON.stringify(LOG)}\n`),
  crlf: ({ output }) => output.raw(`${JSON.stringify(LOG)}\r\n`),
  nul: ({ output }) => output.raw('{"jsonrpc":"2.0",\0"method":"x/nul"}\n'),
  unknown_id({ output }) {
    output.message({ jsonrpc: '2.0', id: 987_654_321, result: { content: [] } });
    output.message({ jsonrpc: '2.0', id: 'nobody asked', error: { code: -32000, message: 'nobody asked' } });
  },
  wrong_id: ({ output, call }) => output.message({ jsonrpc: '2.0', id: `not-${call.id}`, result: text('astray') }),
  duplicate_reply: ({ output, call }) => output.message({ jsonrpc: '2.0', id: call.id, result: text('twice') }),
  retyped_id({ output, call }) {
    const id = typeof call.id === 'number' ? String(call.id) : Number(call.id);
    output.message({ jsonrpc: '2.0', id, result: text('retyped') });
  },
  client_like_request: ({ output, call }) => output.message({ jsonrpc: '2.0', id: call.id, method: 'ping' }),
  huge_line({ output, call }, { bytes = 1024 * 1024, json = false }) {
    output.raw(json ? `{"jsonrpc":"2.0","id":${JSON.stringify(call?.id ?? 0)},"result":{"pad":"` : '');
    const piece = Buffer.alloc(64 * 1024, 'x');
    for (let left = bytes; left > 0; left -= piece.length) output.raw(piece.subarray(0, Math.min(left, piece.length)));
    output.raw(json ? '"}}\n' : '\n');
  },
};

async function flood({ stream = 'stdout', lines, text: line = 'flood', mcp = false }, { output }) {
  const one = mcp ? JSON.stringify(LOG) : line;
  const block = 100;
  for (let n = 0; lines === 0 || n < lines; n += block) {
    output.raw(`${one}\n`.repeat(lines === 0 ? block : Math.min(block, lines - n)), stream);
    // Signals, end of input and other calls are still heard between two blocks.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Resolves with the pid once the grandchild has installed its handlers. */
function startGrandchild({ via = 'direct', deaf = false, keepsOutput = false, clean = false }, { script }) {
  const program = [process.execPath, PROGRAM, JSON.stringify({ marker: script.marker, grandchild: { deaf } })];
  const [command, ...args] = via.startsWith('sh') ? ['/bin/sh', '-c', '"$@" & wait', 'sh', ...program] : program;
  const output = keepsOutput ? 'inherit' : 'ignore';
  const child = spawn(command, args, {
    detached: via.endsWith('setsid'),
    stdio: ['ignore', output, output, 'pipe'],
    ...(clean ? { env: {} } : {}),
  });
  child.unref();
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.stdio[3].once('data', (chunk) => {
      child.stdio[3].destroy();
      resolve(Number(chunk.toString()));
    });
  });
}

async function die({ code = 1, signal, stderr }, { output }) {
  if (stderr !== undefined) output.line(stderr, 'stderr');
  // Answers that are ready leave first: who dies at the third call has answered two.
  await new Promise((resolve) => setImmediate(resolve));
  await output.flushed();
  if (signal !== undefined) process.kill(process.pid, signal);
  else process.exit(code);
  await new Promise(() => {});
}

function sleep(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, Math.min(ms, 0x7fffffff));
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function text(value) {
  return { content: [{ type: 'text', text: value }] };
}
