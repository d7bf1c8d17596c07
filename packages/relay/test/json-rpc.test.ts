// Which lines are messages, what their envelope says, and that ids and numbers leave as they came.

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { ExactNumber } from '../src/json-exact.ts';
import {
  errorMessage,
  isFault,
  type JsonRpcValue,
  MAX_METHOD_BYTES,
  notificationMessage,
  parseMessage,
  rawId,
  readMessage,
  requestMessage,
  resultMessage,
  toMessage,
  withId,
} from '../src/json-rpc.ts';
import { LIMITS } from '../src/limits.ts';
import type { Fault, Message } from '../src/message.ts';
import { jsonCases, missingCorpora, naughtyStrings } from './json-corpora.ts';

function read(text: string | Buffer, limits: Parameters<typeof readMessage>[1] = LIMITS): Message {
  const message = readMessage(Buffer.from(text), limits);
  assert.ok(!isFault(message), `${isFault(message) && message.code}: ${String(text).slice(0, 200)}`);
  return message;
}

function refuse(text: string | Buffer, limits: Parameters<typeof readMessage>[1] = LIMITS): Fault {
  const fault = readMessage(Buffer.from(text), limits);
  assert.ok(isFault(fault), `passed: ${String(text).slice(0, 200)}`);
  assert.equal(fault.bytes, Buffer.byteLength(text));
  return fault;
}

const IDS = [
  '0',
  '-0',
  '1',
  '1.0',
  '1e3',
  '1E+3',
  '-7',
  '0.5',
  '9007199254740993',
  '123456789012345678901234567890',
  '""',
  '"a"',
  '"1"',
  '"\\u0031"',
  '"\\/"',
  '"é"',
  '"\\ud800"',
  '"a\\nb"',
  '"__proto__"',
];

test('requests, notifications and responses are told apart, and their bytes stay as they came', () => {
  const lines: [string, Message['kind'], string | undefined, string | undefined][] = [
    ['{"jsonrpc":"2.0","id":7,"method":"ping"}', 'request', '7', 'ping'],
    ['{"method":"tools/call","id":"a","jsonrpc":"2.0","params":{}}', 'request', '"a"', 'tools/call'],
    [' { "id" : 1 , "jsonrpc" : "2.0" , "method" : "x" , "params" : [ 1 ] } ', 'request', '1', 'x'],
    ['{"jsonrpc":"2.0","method":"a\\u0062\\/é","params":null}', 'notification', undefined, 'ab/é'],
    ['{"jsonrpc":"2\\u002e0","method":"x","extra":{"id":3}}', 'notification', undefined, 'x'],
    ['{"jsonrpc":"2.0","id":7,"result":null}', 'response', '7', undefined],
    ['{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":""}}', 'response', '7', undefined],
    ['{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":""}}', 'response', 'null', undefined],
    ['{"jsonrpc":"2.0","error":{"code":-32700,"message":""}}', 'response', 'null', undefined],
  ];
  for (const [line, kind, id, method] of lines) {
    const message = read(line);
    assert.deepEqual([message.kind, message.id, message.method, String(message.bytes)], [kind, id, method, line]);
    assert.equal(message.call, undefined);
  }
});

test('the number of a call comes from outside the JSON', () => {
  const message = readMessage(Buffer.from('{"jsonrpc":"2.0","id":7,"method":"ping"}'), LIMITS, 17);
  assert.ok(!isFault(message));
  assert.equal(message.call, 17);
  assert.equal(withId(message, '8').call, 17);
  assert.equal(requestMessage('1', 'x', undefined, 3).call, 3);
  assert.equal(toMessage({ jsonrpc: '2.0', id: 1, method: 'x' }, 4).call, 4);
});

test('JSON that is no JSON-RPC 2.0 for every reader is refused', () => {
  const lines: [string, Fault['kind'], string | undefined][] = [
    ['{}', 'unknown', undefined],
    ['7', 'unknown', undefined],
    ['"{}"', 'unknown', undefined],
    ['{"id":1,"method":"x"}', 'request', '1'],
    ['{"jsonrpc":2.0,"id":1,"method":"x"}', 'request', '1'],
    ['{"jsonrpc":"1.0","id":1,"method":"x"}', 'request', '1'],
    ['{"jsonrpc":["2.0"],"id":1,"method":"x"}', 'request', '1'],
    ['{"jsonrpc":"2.0","id":1}', 'unknown', '1'],
    ['{"jsonrpc":"2.0","id":null,"method":"x"}', 'unknown', undefined],
    ['{"jsonrpc":"2.0","id":{},"method":"x"}', 'unknown', undefined],
    ['{"jsonrpc":"2.0","id":true,"method":"x"}', 'unknown', undefined],
    ['{"jsonrpc":"2.0","id":1,"method":7}', 'request', '1'],
    ['{"jsonrpc":"2.0","id":1,"method":"x","params":"p"}', 'request', '1'],
    ['{"jsonrpc":"2.0","method":"x","params":7}', 'notification', undefined],
    ['{"jsonrpc":"2.0","id":1,"method":"x","result":{}}', 'response', '1'],
    ['{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', 'response', '1'],
    ['{"jsonrpc":"2.0","id":1,"error":"no"}', 'response', '1'],
    ['{"jsonrpc":"2.0","id":null,"result":{}}', 'response', undefined],
    ['{"jsonrpc":"2.0","result":{}}', 'response', undefined],
  ];
  for (const [line, kind, id] of lines) {
    const fault = refuse(line);
    assert.deepEqual([fault.code, fault.kind, fault.id], ['not_json_rpc', kind, id], line);
  }
});

test('T20: a member of the envelope that comes twice is refused, whatever its spelling', () => {
  for (const name of ['jsonrpc', 'id', 'method', 'params', 'result', 'error']) {
    const escaped = `\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}`;
    for (const twin of [name, escaped]) {
      const line = `{"jsonrpc":"2.0","id":1,"method":"x","${name}":{},"${twin}":{}}`;
      assert.equal(refuse(line).code, 'not_json_rpc', line);
    }
  }
  // Others are not ours to judge.
  read('{"jsonrpc":"2.0","method":"x","a":1,"a":2,"params":{"id":1,"id":2}}');
});

test('batches have their own name', () => {
  for (const line of ['[]', '[{"jsonrpc":"2.0","id":1,"method":"x"}]', ' [1]'])
    assert.equal(refuse(line).code, 'batch');
});

test('what is no JSON is refused, with the id if it stood before the damage', () => {
  const lines: [string | Buffer, Fault['code'], string | undefined, Fault['kind']][] = [
    ['hello', 'not_json', undefined, 'unknown'],
    ['\ufeff{"jsonrpc":"2.0","id":1,"method":"x"}', 'not_json', undefined, 'unknown'],
    ['{"jsonrpc":"2.0","id":1,"method":"x"}\0', 'not_json', '1', 'request'],
    ['{"jsonrpc":"2.0","id":1,"method":"x","params":{bad}}', 'not_json', '1', 'request'],
    ['{"jsonrpc":"2.0","id":1,"resu', 'not_json', '1', 'unknown'],
    ['{"jsonrpc":"2.0","id":1', 'not_json', undefined, 'unknown'],
    ['{"jsonrpc":"2.0","id":1}{"id":2}', 'not_json', '1', 'unknown'],
    [Buffer.from('{"jsonrpc":"2.0","id":1,"method":"\xff"}', 'latin1'), 'invalid_utf8', '1', 'request'],
    [Buffer.from('{"jsonrpc":"2.0","id":"\xff","method":"x"}', 'latin1'), 'invalid_utf8', undefined, 'unknown'],
    [Buffer.from('\xff', 'latin1'), 'invalid_utf8', undefined, 'unknown'],
  ];
  for (const [line, code, id, kind] of lines) {
    const fault = refuse(line);
    assert.deepEqual([fault.code, fault.id, fault.kind], [code, id, kind], String(line));
  }
});

test('T20: a depth bomb and a token bomb are refused with the id from either end', () => {
  const deep = '['.repeat(100) + ']'.repeat(100);
  const many = `[${'0,'.repeat(600_000)}0]`;
  for (const [code, value] of [
    ['too_deep', deep],
    ['too_many_tokens', many],
  ] as const) {
    for (const line of [
      `{"jsonrpc":"2.0","id":"a}","method":"x","params":${value}}`,
      `{"jsonrpc":"2.0","method":"x","params":${value} , "id" : "a}" } `,
    ]) {
      const fault = refuse(line);
      assert.deepEqual([fault.code, fault.id, fault.kind], [code, '"a}"', 'request']);
    }
    assert.deepEqual(refuse(`{"jsonrpc":"2.0","result":${value},"id":-1.0}`).kind, 'response');
  }
});

test('limits are arguments', () => {
  const line = '{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":[1]}}';
  read(line, { jsonDepth: 3, jsonTokens: 12 });
  assert.equal(refuse(line, { jsonDepth: 2, jsonTokens: 12 }).code, 'too_deep');
  assert.equal(refuse(line, { jsonDepth: 3, jsonTokens: 11 }).code, 'too_many_tokens');
});

test('ids and methods have a length', () => {
  const line = (id: string, method: string) => `{"jsonrpc":"2.0","id":"${id}","method":"${method}"}`;
  read(line('i'.repeat(1022), 'm'.repeat(MAX_METHOD_BYTES - 2)));
  assert.deepEqual(refuse(line('i'.repeat(1023), 'x')).id, undefined);
  assert.deepEqual(refuse(line('i', 'm'.repeat(MAX_METHOD_BYTES - 1))).id, '"i"');
});

test('line breaks between tokens become blanks, so that a message is always one line', () => {
  const pretty = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'x', params: { a: 'b\nc' } }, null, 2).replaceAll(
    '\n',
    '\r\n',
  );
  const { bytes } = read(`\n${pretty}\r\n`);
  assert.doesNotMatch(String(bytes), /[\r\n]/);
  assert.deepEqual(JSON.parse(String(bytes)), JSON.parse(pretty));
  assert.equal(String(read('{"jsonrpc":"2.0","method":"x"}\r').bytes), '{"jsonrpc":"2.0","method":"x"}');
});

test('previews are short, and harmless on a terminal', () => {
  const fault = refuse(`\u001b[31m\u202e\r\u0007${'é😀'.repeat(400)}`);
  assert.equal([...fault.preview].length, 200);
  assert.doesNotMatch(fault.preview, /[\p{Cc}\p{Cf}\ufffd]/u);
  assert.ok(refuse(Buffer.from([0xff, 0xfe, 0x00])).preview.length <= 3);
});

test('an id goes back byte-equal, through every way a message is made', () => {
  for (const id of IDS) {
    const asked = read(`{"jsonrpc":"2.0","id": ${id} ,"method":"x","params":{"n":1}}`);
    assert.equal(asked.id, id);
    const value = parseMessage(asked);
    const made = [
      resultMessage(id, {}),
      errorMessage(id, 'busy', 'later'),
      requestMessage(id, 'x', {}),
      toMessage({ jsonrpc: '2.0', id: rawId(id), result: {} }),
      toMessage({ ...value, params: { n: 2 } }),
      withId(asked, '99'),
      withId(withId(asked, '99'), id),
      withId(withId(requestMessage('"some other"', 'é', { id: 1 }), '99'), id),
      notificationMessage('notifications/cancelled', { requestId: rawId(id) }),
    ];
    for (const message of made) {
      const back = read(message.bytes);
      assert.deepEqual([back.kind, back.id, back.method], [message.kind, message.id, message.method]);
    }
    assert.deepEqual(
      made.slice(0, 5).map((message) => message.id),
      Array(5).fill(id),
    );
    assert.equal(String(made[6]?.bytes), String(asked.bytes));
    assert.equal(
      String(made[8]?.bytes),
      `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":${id}}}`,
    );
  }
});

test('another id changes nothing else, wherever the id stands', () => {
  for (const rest of [
    '"jsonrpc":"2.0","method":"x","params":{"id":7,"n":1.0}',
    '"jsonrpc":"2.0","result":{"é":"\\u00e9"}',
  ]) {
    for (const id of ['7', '"é"', '1e5']) {
      for (const line of [`{"id":${id},${rest}}`, `{${rest}, "id" : ${id} }`]) {
        for (const next of ['12345678901', '"漢"', '0']) {
          const changed = withId(read(line), next);
          assert.equal(
            String(changed.bytes),
            line.replace(new RegExp(`"id"( ?: ?)${id}(?=[ ,}])(?!,"n)`), `"id"$1${next}`),
          );
          assert.equal(read(changed.bytes).id, next);
        }
      }
    }
  }
  const without = read('{"jsonrpc":"2.0","error":{"code":1,"message":""}}');
  assert.equal(read(withId(without, '5').bytes).id, '5');
  const notification = notificationMessage('x');
  assert.equal(withId(notification, '5'), notification);
});

test('numbers a double would spoil come back exactly, others as plain numbers', () => {
  const message = read(
    '{"jsonrpc":"2.0","id":1,"result":{"a":9007199254740993,"b":[1.5,-0],"c":1e-400,"d":12345678901234567890.5}}',
  );
  const value = parseMessage(message);
  assert.deepEqual(value.result, {
    a: new ExactNumber('9007199254740993'),
    b: [1.5, new ExactNumber('-0')],
    c: new ExactNumber('1e-400'),
    d: new ExactNumber('12345678901234567890.5'),
  });
  assert.equal(String(toMessage(value).bytes), String(message.bytes));
  assert.deepEqual(parseMessage(toMessage(value)).result, value.result, 'also after it was written by us');
  assert.deepEqual(parseMessage(read('{"jsonrpc":"2.0","id":1,"result":[1,0.1,1e5]}')).result, [1, 0.1, 1e5]);
});

test('values survive parsing and writing', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string({ unit: 'binary' }), (params, method) => {
      const text = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { params } });
      const message = read(text);
      assert.equal(message.method, (JSON.parse(text) as { method: string }).method);
      assert.equal(String(toMessage(parseMessage(message)).bytes), text);
    }),
    { numRuns: 3_000 },
  );
});

test('naughty strings survive everywhere', { skip: missingCorpora }, () => {
  for (const text of naughtyStrings()) {
    const message = read(JSON.stringify({ jsonrpc: '2.0', id: text, method: text, params: { [text]: text } }));
    if (text !== '') assert.equal(message.method, text);
    assert.equal(message.id, JSON.stringify(text));
    assert.equal(String(toMessage(parseMessage(message)).bytes), String(message.bytes));
  }
});

test('T20: JSONTestSuite as params: JSON passes byte-equal', { skip: missingCorpora }, () => {
  for (const { name, bytes } of jsonCases()) {
    const line = Buffer.concat([
      Buffer.from('{"jsonrpc":"2.0","id":1,"method":"x","params":['),
      bytes,
      Buffer.from(']}'),
    ]);
    const message = readMessage(line, LIMITS);
    if (name.startsWith('y_')) {
      assert.ok(!isFault(message), name);
      if (!bytes.includes('\n')) assert.deepEqual(message.bytes, line);
    }
    if (name.startsWith('n_') && isFault(message)) assert.notEqual(message.code, 'not_json_rpc', name);
  }
});

test('__proto__ stays data and pollutes nothing', () => {
  const text =
    '{"jsonrpc":"2.0","id":"\\u0061","method":"x","params":{"__proto__":{"polluted":1}},"__proto__":{"method":"y"}}';
  const value = parseMessage(read(text));
  assert.equal(value.method, 'x');
  assert.equal((value as JsonRpcValue & { polluted?: unknown }).polluted, undefined);
  assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  assert.equal(String(toMessage(value).bytes), text);
});

test('our own errors have the form that docs/ERRORS.md promises', () => {
  const message = errorMessage('"a"', 'backend_unavailable', 'fs is not running; see mcp-gateway status', {
    backend: 'fs',
  });
  assert.equal(message.kind, 'response');
  assert.deepEqual(JSON.parse(String(message.bytes)), {
    jsonrpc: '2.0',
    id: 'a',
    error: {
      code: -31050,
      message: 'fs is not running; see mcp-gateway status',
      data: { error: 'backend_unavailable', backend: 'fs' },
    },
  });
  assert.equal(read(errorMessage('null', 'parse_error', 'no JSON').bytes).id, 'null');
});

test('a value that is no message is our own mistake', () => {
  for (const value of [{}, { id: 1 }, { result: 1 }, { id: 1, method: 'x', result: 1 }]) {
    assert.throws(() => toMessage({ jsonrpc: '2.0', ...value }), TypeError);
  }
  assert.throws(() => requestMessage('1\n2', 'x'), TypeError);
});

test('messages of 1 and 16 MiB pass', () => {
  for (const size of [1, 16]) {
    const text = 'x'.repeat(size * 1024 * 1024);
    const message = read(JSON.stringify({ jsonrpc: '2.0', id: 1, result: { text } }));
    assert.equal((parseMessage(message).result as { text: string }).text.length, text.length);
    assert.equal(read(withId(message, '22').bytes).id, '22');
  }
});

test('a number that is infinite to a double is refused wherever it stands, any other is carried exactly', () => {
  const digits = fc.stringMatching(/^[1-9][0-9]{0,24}$/);
  const number = fc.oneof(
    fc
      .record({
        sign: fc.constantFrom('', '-'),
        digits,
        fraction: fc.option(digits),
        e: fc.integer({ min: -420, max: 420 }),
      })
      .map(({ sign, digits: whole, fraction, e }) => `${sign}${whole}${fraction === null ? '' : `.${fraction}`}e${e}`),
    fc.integer({ min: 300, max: 400 }).map((zeros) => `1${'0'.repeat(zeros)}`),
    fc.constantFrom(
      '1e308',
      '1.7976931348623157e308',
      '1.7976931348623159e308',
      '1e309',
      '-1E+400',
      '0e999',
      '0.0e400',
      '1e99999999999',
    ),
  );
  const places = fc.constantFrom(
    (n: string) => `{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"arguments":{"deep":[[${n}]]}}}`,
    (n: string) => `{"jsonrpc":"2.0","id":"a","result":{"structuredContent":${n}}}`,
    (n: string) => `{"jsonrpc":"2.0","id":"a","error":{"code":1,"message":"m","data":[${n}]}}`,
    (n: string) => `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":${n}}}`,
    (n: string) => `{"unknown":${n},"jsonrpc":"2.0","id":"a","method":"x"}`,
  );
  fc.assert(
    fc.property(number, places, (n, place) => {
      const line = place(n);
      const message = readMessage(Buffer.from(line), LIMITS);
      if (Number.isFinite(Number(n))) {
        assert.ok(!isFault(message));
        // Written anew from what was read, it is the same number.
        const again = toMessage(parseMessage(message)).bytes.toString();
        assert.ok(again === line || again.includes(String(Number(n))), again);
      } else {
        assert.ok(isFault(message));
        assert.equal(message.code, 'number_too_large');
        assert.equal(message.id, line.includes('"id"') ? '"a"' : undefined);
      }
    }),
    { numRuns: 2000 },
  );
});

test('an id that is such a number is not said again', () => {
  const fault = refuse('{"jsonrpc":"2.0","id":1e400,"method":"ping"}');
  assert.deepEqual([fault.code, fault.id, fault.kind], ['number_too_large', undefined, 'request']);
});
