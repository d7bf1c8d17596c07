// Exchanges recorded with a real OpenZiti 1.6.0, its Go programs and the C SDK: their frames are what we read and write, their
// encrypted streams are what we open. All recordings lie beside the repository (shared/ziti-traces); two small ones are fixtures.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readHelloAnswer } from '../../src/channel/hello.ts';
import { encodeMessage, type Message } from '../../src/channel/message.ts';
import { sessionKeys } from '../../src/crypto/key-exchange.ts';
import { PullStream } from '../../src/crypto/secret-stream.ts';
import { loadSodium } from '../../src/crypto/sodium.ts';
import { hex, readAll } from './support.ts';

interface TraceRecord {
  readonly kind: string;
  readonly ch: string;
  readonly dir: string;
  readonly contentType: number;
  readonly seq: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly bodyLen?: number;
  readonly plain?: string;
  readonly key?: string;
  readonly note?: string;
  readonly publicKey: string;
  readonly privateKey: string;
  readonly role: 'dialer' | 'host';
  readonly ownPublic: string;
  readonly peerPublic: string;
  readonly rx: string;
  readonly tx: string;
}

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const fixtures = fileURLToPath(new URL('../fixtures/traces/', import.meta.url));
const all = [process.env.ZITI_TRACES_DIR ?? join(root, '../shared/ziti-traces')].find(existsSync);
const sodium = await loadSodium();

for (const folder of [fixtures, all]) {
  if (folder === undefined) {
    test('all recordings', (t) => t.skip('THE RECORDINGS ARE NOT HERE: ../shared/ziti-traces is absent'));
    continue;
  }
  const where = folder === fixtures ? 'fixtures' : 'all recordings';
  const files = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));

  test(`${where}: recorded frames are read, in any pieces, and written again to the same bytes`, (t) => {
    let count = 0;
    for (const name of files) {
      for (const frames of byDirection(records(folder, name))) {
        const bytes = Buffer.concat(frames.map(frameOf));
        for (const chunks of [[bytes], pieces(bytes, 1), pieces(bytes, 1460)]) {
          const { read, error } = readAll(chunks);
          assert.equal(error, undefined, name);
          assert.equal(read.length, frames.length, name);
          for (const [index, frame] of frames.entries()) assertSame(frame, read[index], name);
          const again = read.map((one) => encodeMessage(one.type, one.sequence, one.headers, one.body));
          assert.ok(Buffer.concat(again).equals(bytes), name);
        }
        count += frames.length;
      }
    }
    t.diagnostic(`${count} frames of ${files.length} files`);
    assert.ok(count >= (folder === all ? 1500 : 20), `${count} frames`);
  });

  test(`${where}: answers to a Hello name the router and its version`, () => {
    let count = 0;
    for (const name of files) {
      for (const record of records(folder, name)) {
        if (
          record.kind !== 'frame' ||
          record.contentType !== 2 ||
          record.seq !== -1 ||
          record.headers[1] !== 'ffffffff'
        ) {
          continue;
        }
        const [message] = readAll([frameOf(record)]).read;
        assert.ok(message, name);
        const { routerId, routerVersion } = readHelloAnswer(message, 'router');
        assert.match(routerId, /^[\w.-]{8,12}$/, name);
        assert.deepEqual(routerVersion, { major: 1, minor: 6, patch: 0 }, name);
        count += 1;
      }
    }
    assert.ok(count >= (folder === all ? 20 : 1), `${count} answers`);
  });

  test(`${where}: recorded keys are agreed on, recorded streams are opened`, (t) => {
    let [agreed, opened] = [0, 0];
    for (const name of files) {
      const found = records(folder, name);
      agreed += checkKeys(found, name);
      opened += openStreams(found, name);
    }
    t.diagnostic(`${agreed} key exchanges, ${opened} messages`);
    assert.ok(agreed >= (folder === all ? 30 : 1), `${agreed} key exchanges`);
    assert.ok(opened >= (folder === all ? 100 : 4), `${opened} messages`);
  });
}

function records(folder: string, name: string): TraceRecord[] {
  const lines = readFileSync(join(folder, name), 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line));
}

/** The frames of each channel and direction, in their order. */
function byDirection(found: readonly TraceRecord[]): TraceRecord[][] {
  const streams = new Map<string, TraceRecord[]>();
  for (const record of found) {
    if (record.kind !== 'frame') continue;
    const key = `${record.ch} ${record.dir}`;
    const stream = streams.get(key);
    if (stream) stream.push(record);
    else streams.set(key, [record]);
  }
  return [...streams.values()];
}

/** From the description of the format, not with our encoder. Long bodies were not kept: zeros stand for them. */
function frameOf({ contentType, seq, headers, body, bodyLen }: TraceRecord): Buffer {
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value | 0);
    return bytes;
  };
  const section = Buffer.concat(
    Object.entries(headers).flatMap(([key, value]) => [number(Number(key)), number(value.length / 2), hex(value)]),
  );
  const content = body === undefined ? Buffer.alloc(bodyLen ?? 0) : hex(body);
  const fixed = [hex('0306090c'), ...[contentType, seq, section.length, content.length].map(number)];
  return Buffer.concat([...fixed, section, content]);
}

function assertSame(frame: TraceRecord, message: Message | undefined, name: string): void {
  assert.ok(message, name);
  assert.deepEqual([message.type, message.sequence], [frame.contentType, frame.seq], name);
  const headers = [...message.headers].map(([key, value]) => [String(key), Buffer.from(value).toString('hex')]);
  assert.deepEqual(Object.fromEntries(headers), frame.headers, name);
  if (frame.body !== undefined) assert.equal(Buffer.from(message.body).toString('hex'), frame.body, name);
}

function* pieces(bytes: Buffer, size: number): Iterable<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function checkKeys(found: readonly TraceRecord[], name: string): number {
  const secrets = new Map(found.filter(({ kind }) => kind === 'key').map((key) => [key.publicKey, key.privateKey]));
  let count = 0;
  for (const { kind, role, ownPublic, peerPublic, rx, tx } of found) {
    const secret = secrets.get(ownPublic);
    if (kind !== 'session-keys' || secret === undefined) continue;
    const own = { publicKey: hex(ownPublic), secretKey: hex(secret) };
    const keys = sessionKeys(sodium, role, own, hex(peerPublic));
    const texts = [keys.rx, keys.tx].map((bytes) => Buffer.from(bytes).toString('hex'));
    assert.deepEqual(texts, [rx, tx], name);
    count += 1;
  }
  return count;
}

/** Opens every message whose stream was recorded whole up to it. */
function openStreams(found: readonly TraceRecord[], name: string): number {
  const keys = found.filter(({ kind }) => kind === 'session-keys').flatMap(({ rx, tx }) => [rx, tx]);
  const headers = new Map<string, string>();
  const streams = new Map<string, PullStream>();
  let count = 0;
  for (const frame of found) {
    if (frame.kind !== 'frame' || frame.contentType !== 60786) continue;
    const id = `${frame.ch} ${frame.dir} ${frame.headers[1000]}`;
    if (frame.note === 'crypto header' && frame.body !== undefined) {
      headers.set(id, frame.body);
      streams.delete(id);
    } else if (frame.body === undefined) {
      // The next ones of this stream can not be opened without it.
      headers.delete(id);
      streams.delete(id);
    } else if (frame.plain !== undefined && headers.has(id)) {
      const key = keys.find((one) => one.startsWith(frame.key?.replace('…', '') ?? '?'));
      assert.ok(key, `${name}: no session key ${frame.key}`);
      const stream = streams.get(id) ?? new PullStream(sodium, hex(key), hex(headers.get(id) ?? ''));
      streams.set(id, stream);
      assert.equal(stream.pull(hex(frame.body)).toString('hex'), frame.plain, name);
      count += 1;
    }
  }
  for (const stream of streams.values()) stream.dispose();
  return count;
}
