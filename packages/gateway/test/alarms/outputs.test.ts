// Who is told: a command, a webhook of this machine, a share; and what becomes of those that do not listen.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Alarm } from '../../src/alarms/alarm.ts';
import { commandOutput } from '../../src/alarms/command.ts';
import { Output } from '../../src/alarms/deliver.ts';
import { ALARM_CAPS } from '../../src/alarms/limits.ts';
import { webhookOutput } from '../../src/alarms/webhook.ts';
import { QUIET } from './month.ts';

const NEVER = new AbortController().signal;
const ALARM: Alarm = { id: '01234567', rule: 'loop', ident: 'ziti:a', count: 20, seqs: [7], why: 'again and again' };

async function folderOf() {
  const path = await mkdtemp(join(tmpdir(), 'alarm-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

function node(script: string, args: readonly string[], cwd: string, timeoutMs = 60_000) {
  return commandOutput({ argv: [process.execPath, '-e', script, ...args], cwd, env: { SAFE: '1' }, timeoutMs });
}

test('a command gets the alarm on stdin, its arguments as they are, no shell, and a short environment', async () => {
  await using folder = await folderOf();
  const script =
    "const t=require('fs').readFileSync(0,'utf8');require('fs').writeFileSync('out',JSON.stringify([t,process.argv[1],Object.keys(process.env)]))";
  await node(script, ['$(touch shell); `id`'], folder.path)(JSON.stringify(ALARM), NEVER);
  const [text, arg, names] = JSON.parse(await readFile(join(folder.path, 'out'), 'utf8'));
  assert.deepEqual(JSON.parse(text), ALARM);
  assert.equal(arg, '$(touch shell); `id`');
  assert.deepEqual(
    (names as string[]).filter((name) => name !== '__CF_USER_TEXT_ENCODING'),
    ['SAFE'],
  );
});

test('a command that fails, hangs or is not there is an error in words, and hangs nobody', async () => {
  await using folder = await folderOf();
  await assert.rejects(node('process.exit(3)', [], folder.path)('{}', NEVER), /ended with 3/);
  await assert.rejects(node('setInterval(()=>{},1e6)', [], folder.path, 200)('{}', NEVER), /took longer than 200 ms/);
  const absent = commandOutput({ argv: ['/nowhere/page-me'], cwd: folder.path, env: {}, timeoutMs: 1000 });
  await assert.rejects(absent('{}', NEVER), /cannot be run \(ENOENT\)/);
  const ending = new AbortController();
  const hanging = node('setInterval(()=>{},1e6)', [], folder.path)('{}', ending.signal);
  ending.abort();
  await assert.rejects(hanging, /the gateway is ending/);
});

async function receiver(answer: (request: IncomingMessage, response: ServerResponse, body: string) => void) {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => {
      body += part;
    });
    request.on('end', () => answer(request, response, body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://localhost:${port}/alarm`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('a webhook gets the alarm by POST, over this machine or over the overlay', async () => {
  const got: unknown[] = [];
  await using there = await receiver(({ method, url, headers }, response, body) => {
    got.push([method, url, headers['content-type'], JSON.parse(body)]);
    response.writeHead(204).end();
  });
  await webhookOutput({ url: there.url }, 60_000)(JSON.stringify(ALARM), NEVER);
  const dial = async (share: string) => {
    assert.equal(share, 'pager');
    return connect(there.port, '127.0.0.1');
  };
  await webhookOutput({ share: 'pager', dial }, 60_000)(JSON.stringify(ALARM), NEVER);
  assert.deepEqual(got, [
    ['POST', '/alarm', 'application/json', ALARM],
    ['POST', '/', 'application/json', ALARM],
  ]);
});

test('a webhook that redirects, fails, hangs or is away is an error in words, and no redirect is followed', async () => {
  let asked = 0;
  await using there = await receiver((_request, response) => {
    asked += 1;
    if (asked === 1) response.writeHead(302, { location: '/elsewhere' }).end();
    if (asked === 2) response.writeHead(500).end();
  });
  const send = (timeoutMs: number) => webhookOutput({ url: there.url }, timeoutMs)('{}', NEVER);
  await assert.rejects(send(60_000), /answers 302, and redirects are not followed/);
  await assert.rejects(send(60_000), /answers 500/);
  await assert.rejects(send(200), /took longer than 200 ms/);
  assert.equal(asked, 3);
  await assert.rejects(webhookOutput({ url: 'http://127.0.0.1:1/' }, 60_000)('{}', NEVER), /ECONNREFUSED/);
});

test('slow outputs hold up nobody: some under way, some waiting, the rest counted as lost', async () => {
  let open = 0;
  let most = 0;
  const ends: (() => void)[] = [];
  const output = new Output(
    'slow',
    () =>
      new Promise((resolve) => {
        open += 1;
        most = Math.max(most, open);
        ends.push(() => {
          open -= 1;
          resolve();
        });
      }),
    QUIET,
  );
  const all = ALARM_CAPS.sending + ALARM_CAPS.waiting;
  for (let nr = 0; nr < all + 5; nr += 1) output.tell(ALARM, { at: '', gateway: 'g' });
  assert.equal(output.lost, 5);
  let done = 0;
  while (done < all) {
    for (const end of ends.splice(0)) {
      done += 1;
      end();
    }
    await new Promise(setImmediate);
  }
  assert.equal(most, ALARM_CAPS.sending);
  await output.close();
});
