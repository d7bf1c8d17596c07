// The server at the end of every measured chain: initialize, tools/list, and `echo`, which answers with its text, or with
// as many bytes as asked. `--tools N` lists N tools, `--delay MS` starts as slowly as npx does.
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { lineReader } from './lines.mjs';

const { values } = parseArgs({ options: { tools: { type: 'string', default: '1' }, delay: { type: 'string' } } });
if (values.delay) await wait(Number(values.delay));

const schema = {
  type: 'object',
  properties: { text: { type: 'string' }, bytes: { type: 'integer', minimum: 0 } },
};
const tools = Array.from({ length: Number(values.tools) }, (_, index) => ({
  name: index === 0 ? 'echo' : `echo_${index}`,
  description: 'Gives back what it gets',
  inputSchema: schema,
}));
/** Answers of one size are made once: the chain is measured, not the server. */
const made = new Map();

const methods = {
  initialize: ({ protocolVersion }) => ({
    protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: 'echo', version: '1.0.0' },
  }),
  ping: () => ({}),
  'tools/list': () => ({ tools }),
  'tools/call': ({ arguments: { text = '', bytes } }) => ({
    content: [{ type: 'text', text: bytes === undefined ? text : filler(bytes) }],
  }),
};

function filler(bytes) {
  const known = made.get(bytes) ?? 'x'.repeat(bytes);
  made.set(bytes, known);
  return known;
}

process.stdin.on(
  'data',
  lineReader((line) => {
    const { id, method, params } = JSON.parse(line);
    if (id === undefined) return;
    const handler = methods[method];
    const outcome = handler ? { result: handler(params) } : { error: { code: -32601, message: `unknown ${method}` } };
    process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, ...outcome })}\n`);
  }),
);
