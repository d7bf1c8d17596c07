// A plain HTTP front for a stdio server, from the official SDK's transport and nothing of ours: it tells a fault of the
// fixture from a fault of the chain. One child for each session. stdout: one line {"url": "…"}; ends with its stdin.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';

const [command, ...args] = process.argv.slice(2);
const sessions = new Map();

const server = createServer((request, response) => {
  const id = request.headers['mcp-session-id'];
  const session = id === undefined ? open() : sessions.get(id);
  if (session) void session.handleRequest(request, response);
  else response.writeHead(404).end();
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${server.address().port}/mcp` })}\n`);
});
process.stdin.on('end', () => process.exit(0)).resume();

function open() {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => sessions.set(id, transport),
    onsessionclosed: (id) => sessions.delete(id),
    enableDnsRebindingProtection: true,
    allowedHosts: [`127.0.0.1:${server.address().port}`],
  });
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const open = [];
  transport.onmessage = (message) => {
    if (message.method !== undefined && message.id !== undefined) open.push(message.id);
    child.stdin.write(`${JSON.stringify(message)}\n`);
  };
  transport.onclose = () => child.stdin.end();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const message = JSON.parse(line);
    // What the server says during a call goes to the call's own stream; the suite keeps one call open at a time.
    const relatedRequestId = message.method === undefined ? undefined : open.at(-1);
    if (message.method === undefined) open.splice(open.indexOf(message.id), 1);
    void transport.send(message, relatedRequestId === undefined ? {} : { relatedRequestId });
  });
  return transport;
}
