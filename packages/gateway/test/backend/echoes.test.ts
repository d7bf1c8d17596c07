// A server that repeats the credential it was given: the agent does not get it.

import assert from 'node:assert/strict';
import test from 'node:test';
import { OutputFilter } from '@mcp-overlay/cli';
import {
  type CloseReason,
  isFault,
  LIMITS,
  type Message,
  readMessage,
  type Transport,
  type TransportHandlers,
} from '@mcp-overlay/relay';
import { withoutEchoes } from '../../src/backend/echoes.ts';

const SECRET = 'c4n4ry-9f2e7b1d';

function message(text: string, more: Partial<Message> = {}): Message {
  const read = readMessage(Buffer.from(text), LIMITS);
  assert.ok(!isFault(read), text);
  return { ...read, ...more };
}

function serverWith(...secrets: string[]) {
  let handlers: TransportHandlers | undefined;
  const warned: string[] = [];
  const echoes = new OutputFilter();
  for (const secret of secrets) echoes.hide(secret);
  const server: Transport = {
    start: (given) => {
      handlers = given;
    },
    send: () => true,
    drained: async () => {},
    pause: () => {},
    resume: () => {},
    close: async () => {},
  };
  const log = {
    debug: () => {},
    info: () => {},
    warn: (_: object, event: string) => void warned.push(event),
    error: () => {},
  };
  const guarded = withoutEchoes(server, { id: 'a', echoes, around: { log, limits: LIMITS } });
  const got: Message[] = [];
  let closed: CloseReason | undefined;
  guarded.start({ message: (one) => void got.push(one), fault: () => {}, closed: (reason) => (closed = reason) });
  return {
    guarded,
    server,
    warned,
    got,
    say: (one: Message) => handlers?.message(one),
    end: (reason: CloseReason) => handlers?.closed(reason),
    closed: () => closed,
  };
}

test('T14 an answer, a notice and a question lose the credential and nothing else', () => {
  const { got, say, warned } = serverWith(SECRET);
  const base64 = Buffer.from(`user:${SECRET}`).toString('base64');
  say(
    message(`{"jsonrpc":"2.0","id":"7","result":{"a":"it is ${SECRET}!","n":12345678901234567890, "b":"${base64}"}}`, {
      relatedTo: '"7"',
    }),
  );
  say(message(`{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"${encodeURIComponent(SECRET)}"}}`));
  say(message(`{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"${SECRET}"}}`));
  assert.equal(got[0]?.relatedTo, '"7"');
  assert.equal(got[0]?.id, '"7"');
  assert.match(
    String(got[0]?.bytes),
    /^\{"jsonrpc":"2\.0","id":"7","result":\{"a":"it is \[secret\]!","n":12345678901234567890, "b":"[A-Za-z0-9]*\[secret\][A-Za-z0-9]*=*"\}\}$/,
  );
  assert.equal(
    String(got[1]?.bytes),
    '{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"[secret]"}}',
  );
  assert.equal(got[2]?.method, 'elicitation/create');
  assert.ok(got.every(({ bytes }) => !bytes.includes(SECRET)));
  assert.equal(warned.length, 3);
});

test('what holds no credential passes as the very same message', () => {
  const { got, say, warned } = serverWith(SECRET);
  const one = message('{"jsonrpc":"2.0","id":1,"result":{"text":"c4n4ry-9f2e7b1"}}');
  say(one);
  assert.equal(got[0], one);
  assert.deepEqual(warned, []);
});

test('without references nothing stands between', () => {
  const { guarded, server } = serverWith();
  assert.equal(guarded, server);
});

test('a secret that is a piece of JSON: the message is not passed on, its id is answered', () => {
  const { got, say } = serverWith('"result":{"text"');
  say(message('{"jsonrpc":"2.0","id":5,"result":{"text":"x"}}'));
  assert.equal(got[0]?.id, '5');
  assert.match(String(got[0]?.bytes), /"error":\{"code":-32603/);
});

test('the reason of an end has no credential either', () => {
  const { end, closed } = serverWith(SECRET);
  end({ code: 'child_exited', reason: `a exited with code 1: bad token ${SECRET}` });
  assert.equal(closed()?.reason, 'a exited with code 1: bad token [secret]');
});
