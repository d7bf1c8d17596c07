// A second, naive implementation of both ends, written from docs/WIRE.md alone: no code of ours below the sockets.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, connect as dialSocket, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { dialLink } from '../../src/link/dialer.ts';
import { LinkHost } from '../../src/link/host.ts';
import { note, numbered, Recorder, SESSION, socketStage, tracked } from './support.ts';

/** Sections 4-7 of the page: numbers, acknowledgements, resume, pings, close. Strings and arrays, nothing clever. */
class Naive {
  id: string | null = null;
  got = 0;
  acked = 0;
  unacked: string[] = [];
  texts: string[] = [];
  ended: string | undefined;
  socket: Socket | undefined;
  onText: () => void = () => {};

  say(json: string): void {
    this.unacked.push(json);
    this.socket?.write(`${json}\n`);
  }

  /** After the preambles: the rest again, then lines. */
  go(socket: Socket, peerGot: number, rest: string): void {
    this.unacked.splice(0, peerGot - this.acked);
    this.acked = peerGot;
    this.socket = socket;
    for (const json of this.unacked) socket.write(`${json}\n`);
    let partial = rest;
    const read = (chunk: Buffer | string): void => {
      if (this.socket !== socket) return;
      const lines = (partial + chunk).split('\n');
      partial = lines.pop() ?? '';
      for (const line of lines) this.line(line);
    };
    socket.on('data', read);
    read('');
  }

  line(line: string): void {
    const [word, argument = ''] = line.split(/ (.*)/s);
    if (word === '!ack') {
      this.unacked.splice(0, Math.max(0, Number(argument) - this.acked));
      this.acked = Math.max(this.acked, Number(argument));
    } else if (word === '!ping') this.socket?.write(`!pong ${argument}\n`);
    else if (word === '!close') this.close(JSON.parse(argument).code);
    else if (!line.startsWith('!')) {
      this.got += 1;
      this.socket?.write(`!ack ${this.got}\n`);
      this.texts.push(JSON.parse(line.replace(/^@\d+ /, '')).params.text);
      this.onText();
    }
  }

  close(code: string): void {
    this.ended ??= code;
    this.socket?.end(`!close {"code":"${code}","reason":"naive"}\n`);
    this.onText();
  }

  until(done: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const next = this.onText;
      this.onText = () => {
        next();
        if (done()) resolve();
      };
      if (done()) resolve();
    });
  }
}

async function firstLine(socket: Socket): Promise<[line: string, rest: string]> {
  let text = '';
  while (!text.includes('\n')) text += String((await once(socket, 'data'))[0]);
  const at = text.indexOf('\n');
  return [text.slice(0, at), text.slice(at + 1)];
}

async function naiveDial(naive: Naive, connect: () => Promise<Socket>): Promise<Socket> {
  const socket = await connect();
  socket.on('error', () => {});
  socket.write(`MCP-LINK/1 ${JSON.stringify({ link: naive.id, got: naive.got, session: SESSION, by: 'naive/1' })}\n`);
  const [line, rest] = await firstLine(socket);
  const welcome = JSON.parse(line.replace('MCP-LINK/1 ', '')) as { link: string; got: number; fresh: boolean };
  assert.equal(welcome.fresh, naive.id === null);
  naive.id = welcome.link;
  naive.go(socket, welcome.got, rest);
  return socket;
}

const json = (text: string): string => JSON.stringify({ jsonrpc: '2.0', method: 'note', params: { text } });

test('a naive dialer and our host: resumed over and over, nothing lost or doubled', async () => {
  const far = new Recorder();
  const host = new LinkHost({
    by: 'host/1',
    judge: () => ({ principal: { id: 'owner' } }),
    onLink: (link) => {
      far.listen(link);
      far.onMessage = () => link.send(note(`r${far.texts.length}`));
    },
  });
  await using sockets = await socketStage(host);
  const naive = new Naive();
  const count = 400;
  for (let sent = 0; sent < count; ) {
    const socket = await naiveDial(naive, sockets.connect);
    for (let n = 0; n < 40; n += 1) {
      sent += 1;
      naive.say(n % 3 ? json(`m${sent}`) : `@${sent} ${json(`m${sent}`)}`);
    }
    const enough = sent - 20;
    await naive.until(() => naive.texts.length >= enough);
    socket.destroy();
  }
  await naiveDial(naive, sockets.connect);
  await naive.until(() => naive.texts.length >= count);
  assert.deepEqual(naive.texts, numbered('r', count));
  assert.deepEqual(
    far.texts.map((text) => text.replace(/^@\d+ /, '')),
    numbered('m', count),
  );
  naive.close('done');
  assert.deepEqual(await far.closed, { code: 'done', reason: 'naive' });
});

test('our dialer and a naive host: resumed over and over, then the host forgets', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'naive-'));
  const path = join(folder, 's');
  let naive = new Naive();
  const accepted: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, async (socket) => {
    socket.on('error', () => {});
    accepted.push(socket);
    const [line] = await firstLine(socket);
    const asked = JSON.parse(line.replace('MCP-LINK/1 ', '')) as { link: string | null; got: number };
    const fresh = asked.link === null || asked.link !== naive.id;
    if (fresh) {
      naive = new Naive();
      naive.id = randomBytes(16).toString('hex');
      const mine = naive;
      naive.onText = () => mine.texts.length > 0 && mine.ended === undefined && mine.say(json(`r${mine.texts.length}`));
    }
    const answer = { link: naive.id, got: naive.got, fresh, window: 600, by: 'naive/1' };
    socket.write(`MCP-LINK/1 ${JSON.stringify(answer)}\n`);
    naive.go(socket, fresh ? 0 : asked.got, '');
  });
  server.listen(path);
  try {
    await once(server, 'listening');
    let renewed = 0;
    const dialer = tracked(
      dialLink({
        connect: async () => {
          const socket = dialSocket({ path, allowHalfOpen: true });
          await once(socket, 'connect');
          return socket;
        },
        session: SESSION,
        by: 'dialer/1',
        backoff: { minMs: 0, maxMs: 2 },
        onRenewed: () => {
          renewed += 1;
          dialer.send(note('initialize'));
        },
      }),
    );
    const near = new Recorder(dialer);
    await dialer.ready;
    const count = 300;
    for (let n = 1; n <= count; n += 1) {
      dialer.send(note(`m${n}`));
      if (n % 30 === 0) {
        await near.upTo(n - 15);
        accepted.at(-1)?.destroy();
      }
    }
    await near.upTo(count);
    assert.deepEqual(near.texts, numbered('r', count));
    assert.deepEqual(naive.texts, numbered('m', count));
    assert.equal(dialer.stats().breaks > 3, true);
    naive.id = 'forgotten';
    accepted.at(-1)?.destroy();
    await near.upTo(count + 1);
    assert.equal(renewed, 1);
    assert.deepEqual(naive.texts, ['initialize']);
    await dialer.close();
    assert.equal(naive.ended, 'done');
  } finally {
    for (const socket of accepted) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true, force: true });
  }
});
