// A real browser against the loopback door (T10 of docs/SECURITY.md): a page of somebody else, a form, a page under a name
// that was rebound to loopback. None of them gets a message to the server, whether it knows the secret or not.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { scriptedServer } from '@mcp-overlay/relay/testing';
import { House } from './harness.ts';
import { type Json, LineClient } from './line-client.ts';
import { commandBackend } from './servers.ts';

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const browser = BROWSERS.find((path) => existsSync(path));
const DEADLINE_MS = 60_000;
const QUIET = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

interface Attack {
  /** Where the page is loaded from, and under which name. */
  readonly page: string;
  readonly rules?: string;
  /** Resolves with what the page tells of its tries. */
  readonly told: Promise<Record<string, string>>;
}

/** A call, as a page would send it; `initialize` is what a server answers without a session. */
const CALL = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'page', version: '1' } },
});

/** Tries everything a page may do without asking anybody, then reports. */
const script = (urls: readonly string[]): string => `
const told = {};
const text = ${JSON.stringify(CALL)};
const accept = 'application/json, text/event-stream';
async function tries(url) {
  const ways = {
    json: () => fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', accept }, body: text }),
    simple: () => fetch(url, { method: 'POST', body: text }),
    blind: () => fetch(url, { method: 'POST', mode: 'no-cors', body: text }),
    beacon: async () => ({ status: navigator.sendBeacon(url, text) ? 'sent' : 'not sent' }),
    read: () => fetch(url, { headers: { accept: 'text/event-stream' } }),
    events: () => new Promise((done) => {
      const source = new EventSource(url);
      source.onopen = () => done({ status: 'open' });
      source.onerror = () => { source.close(); done({ status: 'error' }); };
    }),
    form: () => new Promise((done) => {
      const frame = document.createElement('iframe');
      frame.name = 'f' + Math.random();
      document.body.append(frame);
      const form = document.createElement('form');
      Object.assign(form, { method: 'POST', action: url, enctype: 'text/plain', target: frame.name });
      const field = document.createElement('input');
      const at = text.length - 2;
      Object.assign(field, { name: text.slice(0, at), value: text.slice(at) });
      form.append(field);
      document.body.append(form);
      frame.onload = () => done({ status: 'loaded' });
      form.submit();
    }),
  };
  for (const [way, go] of Object.entries(ways)) {
    told[way + ' ' + url] = await go().then((r) => String(r.status), (error) => String(error.name));
  }
}
(async () => {
  for (const url of ${JSON.stringify(urls)}) await tries(url);
  await fetch('/told', { method: 'POST', body: JSON.stringify(told) });
})();`;

/** Serves a page with this script at a port of its own, and takes its report. */
async function attacker(write: () => string) {
  let tell: (told: Record<string, string>) => void = () => {};
  const told = new Promise<Record<string, string>>((resolve) => {
    tell = resolve;
  });
  const server = createServer(async (request, response) => {
    if (request.url === '/told') tell(JSON.parse(await bodyOf(request)) as Record<string, string>);
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end(`<!doctype html><body><script>${write()}</script>`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    told,
    [Symbol.dispose]: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

/** Opens the page and waits for its report. */
async function visit({ page, rules, told }: Attack): Promise<Record<string, string>> {
  const profile = await mkdtemp(join(tmpdir(), 'browser-'));
  const map = rules === undefined ? [] : [`--host-resolver-rules=${rules}`];
  const child = spawn(
    browser ?? '',
    [...QUIET, `--user-data-dir=${profile}`, ...map, '--remote-debugging-port=0', page],
    {
      stdio: 'ignore',
      detached: true,
    },
  );
  const ended = once(child, 'exit');
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('the page told nothing')), DEADLINE_MS);
  });
  try {
    return await Promise.race([told, late]);
  } finally {
    clearTimeout(timer);
    // The browser is a family of processes in a group of its own.
    process.kill(-(child.pid ?? 0), 'SIGKILL');
    await ended;
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }
}

test('the page of an origin that --allow-origin names can call, by path and by bearer', {
  skip: skipped(),
}, async () => {
  await using house = await House.open();
  const server = scriptedServer({ name: 'only' });
  const token = await house.gateway([commandBackend('only', server)]);
  let door = new URL('http://127.0.0.1/');
  using friend = await attacker((): string => {
    const secret = door.pathname.split('/')[1];
    return `(async () => {
      const accept = 'application/json, text/event-stream';
      const call = async (url, more) => {
        const headers = { 'content-type': 'application/json', accept, 'mcp-protocol-version': '2025-11-25', ...more };
        const r = await fetch(url, { method: 'POST', headers, body: ${JSON.stringify(CALL)} });
        return r.status + ' ' + (r.headers.get('mcp-session-id') !== null) + ' ' + (await r.text()).includes('"serverInfo"');
      };
      const told = {
        path: await call(${JSON.stringify(door.href)}, {}).catch(String),
        bearer: await call(${JSON.stringify(new URL('/mcp', door).href)}, { authorization: 'Bearer ${secret}' }).catch(String),
        none: await call(${JSON.stringify(new URL('/mcp', door).href)}, {}).catch(String),
      };
      await fetch('/told', { method: 'POST', body: JSON.stringify(told) });
    })();`;
  });
  const origin = `http://127.0.0.1:${friend.port}`;
  door = new URL(await house.http(token, '--allow-origin', origin));
  const { none, ...rest } = await visit({ page: `${origin}/`, told: friend.told });
  assert.deepEqual(rest, { path: '200 true true', bearer: '200 true true' });
  // The door is not said to be there: to a page a refusal of CORS.
  assert.match(none ?? '', /TypeError/);
});

test('T10: no page in a browser gets a message through the loopback door', { skip: skipped() }, async () => {
  await using house = await House.open();
  const server = scriptedServer({ name: 'only' });
  const token = await house.gateway([commandBackend('only', server)]);
  const url = new URL(await house.http(token));
  const open = new URL(await house.http(token, '--no-auth'));
  const secret = url.pathname.split('/')[1];
  assert.match(secret ?? '', /^[\w-]{20,}$/);
  const before = (await house.status(token)).sessions.length;

  const urls = [url.href, new URL('/mcp', url).href, open.href, new URL('/sse', open).href];
  {
    using foreign = await attacker(() => script(urls));
    const told = await visit({ page: `http://127.0.0.1:${foreign.port}/`, told: foreign.told });
    assert.equal(Object.keys(told).length, urls.length * 7, JSON.stringify(told));
    for (const [way, status] of Object.entries(told)) {
      // A page cannot see the answers to blind ways; that nothing came of them is seen below.
      assert.match(status, /^(TypeError|error|0|sent|loaded)$/, way);
    }
  }
  {
    // A name of the page's own that now means this machine: same origin for the browser, another Host for the door.
    const rebound = urls.map((text) => text.replace('127.0.0.1', 'rebound.example'));
    using foreign = await attacker(() => script(rebound));
    const page = `http://rebound.example:${foreign.port}/`;
    const told = await visit({ page, rules: 'MAP rebound.example 127.0.0.1', told: foreign.told });
    for (const [way, status] of Object.entries(told)) assert.match(status, /^(TypeError|error|0|sent|loaded)$/, way);
  }
  assert.equal((await house.status(token)).sessions.length, before);

  // The door is open all the same for who is meant.
  await using client = LineClient.spawn(house.agentProgram(token));
  await client.initialize();
  const seen = (await client.told('seen')) as { client: Json };
  assert.doesNotMatch(JSON.stringify(seen), /"page"/);
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: CALL,
  });
  assert.equal(answer.status, 200);
  await answer.text();
  assert.equal((await house.status(token)).sessions.length, before + 2);
});

function skipped(): string | false {
  return browser === undefined
    ? `SKIPPED: no browser at ${BROWSERS.join(', ')}: the loopback door is not tried`
    : false;
}
