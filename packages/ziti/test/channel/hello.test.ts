import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Headers } from '../../src/channel/headers.ts';
import { encodeHello, readHelloAnswer, readVersion } from '../../src/channel/hello.ts';
import type { Message } from '../../src/channel/message.ts';
import { readAll } from './support.ts';

const answer = (headers: Headers, body = '', type = 2): Message => ({
  type,
  sequence: -1,
  headers,
  body: Buffer.from(body),
});
const agreed = (): Headers => new Headers().setI32(1, -1).setBool(2, true);

test('a Hello carries the token and a body that no other has', () => {
  const seen = new Set<string>();
  for (let count = 0; count < 100; count += 1) {
    const [hello] = readAll([encodeHello('tôken')]).read;
    assert.ok(hello);
    assert.deepEqual([hello.type, hello.sequence, hello.headers.size], [0, -1, 1]);
    assert.equal(hello.headers.string(1002), 'tôken');
    seen.add(Buffer.from(hello.body).toString());
  }
  assert.equal(seen.size, 100);
  for (const body of seen) assert.match(body, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
});

test('a token that no router would read is refused without being told', () => {
  assert.equal(readAll([encodeHello('x'.repeat(16_376))]).read.length, 1);
  assert.throws(
    () => encodeHello('x'.repeat(16_377)),
    (error: Error & { code?: string }) => error.code === 'frame_headers_too_large' && !error.message.includes('xx'),
  );
});

test('an answer tells who the router is', () => {
  const headers = agreed()
    .setString(8, 'H4qttpp7Mw')
    .setString(4, 'v1.6.0|local|2020-01-01|linux|amd64')
    .setBool(1024, true);
  const { routerId, routerVersion, headers: all } = readHelloAnswer(answer(headers), 'router');
  assert.equal(routerId, 'H4qttpp7Mw');
  assert.deepEqual(routerVersion, { major: 1, minor: 6, patch: 0 });
  assert.equal(all.bool(1024), true);
  assert.deepEqual(readHelloAnswer(answer(agreed()), 'router'), {
    routerId: '',
    routerVersion: null,
    headers: agreed(),
  });
});

test('versions are found in text and in JSON, or not at all', () => {
  const found = (text: string): string | undefined => {
    const version = readVersion(text);
    return version ? `${version.major}.${version.minor}.${version.patch}` : undefined;
  };
  assert.equal(found('{"version":"v2.1.0-pre2","revision":"804f55abb"}'), '2.1.0');
  assert.equal(found('v0.0.0'), '0.0.0');
  for (const text of ['', '1.6.0', 'v1.6', 'v1.6.x', `${' '.repeat(2000)}v1.6.0`]) assert.equal(found(text), undefined);
  assert.equal(readVersion(undefined), null);
});

test('a refusal has the code of its class, and its reason made printable and short', () => {
  for (const [reject, code] of [
    [undefined, 'router_refused'],
    [0, 'router_refused'],
    [1, 'router_busy'],
    [2, 'router_not_permitted'],
    [77, 'router_refused'],
  ] as const) {
    const headers = new Headers().setI32(1, -1).setBool(2, false);
    if (reject !== undefined) headers.setI32(13, reject);
    assert.throws(() => readHelloAnswer(answer(headers, 'not\u001b[31m now'), 'router'), {
      code,
      message: 'router refused the channel: not?[31m now',
    });
  }
  const long = answer(new Headers().setI32(1, -1), 'x'.repeat(100_000));
  assert.throws(
    () => readHelloAnswer(long, 'router'),
    (error: Error) => error.message.length < 300,
  );
});

test('any other first message is no answer', () => {
  for (const wrong of [
    answer(agreed(), '', 60784),
    answer(new Headers().setBool(2, true)),
    answer(agreed().setI32(1, 7)),
    answer(agreed().setBytes(1, new Uint8Array(3))),
  ]) {
    assert.throws(() => readHelloAnswer(wrong, 'router'), { code: 'hello_invalid' });
  }
});
