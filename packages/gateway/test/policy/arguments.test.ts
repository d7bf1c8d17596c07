// Argument matchers, each with what it lets through and what it must not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseExact } from '@mcp-overlay/relay';
import { call, person, policyOf } from './rules-of.ts';

/** Whether a rule with this matcher on `x` lets the value through; `deny`: whether one refuses it. */
async function judged(matcher: string, effect: 'allow' | 'deny' = 'allow') {
  const rules =
    effect === 'allow'
      ? `[ { allow: { tools: [t], args: { x: ${matcher} } } } ]`
      : `[ { allow: { tools: [t] } }, { deny: { tools: [t], args: { x: ${matcher} } } } ]`;
  const policy = await policyOf(`roles: { r: ${rules} }\nidentities: { alice: { is: ["ziti:alice"], roles: [r] } }`);
  return (x: unknown): boolean => policy.decide(person('alice'), call('fs', 't', { x })).allow;
}

async function check(matcher: string, fits: readonly unknown[], fitsNot: readonly unknown[]): Promise<void> {
  const may = await judged(matcher);
  for (const value of fits) assert.equal(may(value), true, `${matcher} should let through ${JSON.stringify(value)}`);
  for (const value of fitsNot) assert.equal(may(value), false, `${matcher} should refuse ${JSON.stringify(value)}`);
}

test('enum: the same type and the same value', async () => {
  await check(
    '{ enum: [acme, 1, true, null] }',
    ['acme', 1, true, null],
    ['Acme', 'acme ', '1', 2, false, 'null', [], {}, ['acme']],
  );
});

test('enum: another Unicode form is not allowed, and is refused where a rule refuses the word', async () => {
  const composed = 'caf\u00e9';
  const decomposed = 'cafe\u0301';
  assert.equal((await judged(`{ enum: ["${composed}"] }`))(decomposed), false);
  const may = await judged(`{ enum: ["${composed}"] }`, 'deny');
  assert.deepEqual([may(composed), may(decomposed), may('tea')], [false, false, true]);
});

test('const_from: the id of the caller, and the name that the operator gave it, never a claimed one', async () => {
  const policy = await policyOf(`
roles: { r: [ { allow: { tools: [id], args: { x: { const_from: identity.id } } } }, { allow: { tools: [name], args: { x: { const_from: identity.name } } } } ] }
identities: { alice: { is: ["ziti:alice"], roles: [r] }, "ziti:bob": [r] }
`);
  const may = (who: string, tool: string, x: string): boolean =>
    policy.decide(person(who, { name: 'alice' }), call('fs', tool, { x })).allow;
  assert.equal(may('alice', 'id', 'ziti:alice'), true);
  assert.equal(may('alice', 'id', 'ziti:bob'), false);
  assert.equal(may('alice', 'name', 'alice'), true);
  assert.equal(may('bob', 'name', 'alice'), false);
  assert.equal(may('bob', 'name', 'ziti:bob'), false);
});

test('pattern: an allowance must fit the whole text, a refusal anything in it, over line ends too', async () => {
  await check(
    '{ pattern: "[a-z-]{1,10}" }',
    ['acme', 'a-b'],
    ['', 'Acme', 'acme\n', 'x acme', 'a'.repeat(11), 5, ['acme']],
  );
  const may = await judged('{ pattern: "drop.*table" }', 'deny');
  assert.deepEqual(['select', 'x drop\ntable y', 5].map(may), [true, false, false]);
});

test('T18: a pattern that would backtrack costs linear time, and one outside RE2 is an error where it stands', async () => {
  const may = await judged('{ pattern: "(a+)+b" }');
  const before = performance.now();
  assert.equal(may('a'.repeat(100_000)), false);
  assert.ok(performance.now() - before < 2000);
  for (const pattern of ['(?=x)y', '(a)\\\\1', '(?<!a)b']) {
    await assert.rejects(
      judged(`{ pattern: "${pattern}" }`),
      /^ConfigError: g\.yml:5:\d+: roles\.r\[0\]\.allow\.args\.x\.pattern: expected a pattern of RE2: /,
    );
  }
  const long = await judged(`{ schema: { type: string, pattern: "^(([a-z])+.)+[A-Z]([a-z])+$" } }`);
  const then = performance.now();
  assert.equal(long('a'.repeat(5000)), false);
  assert.ok(performance.now() - then < 2000);
});

test('max_bytes: of a text in UTF-8, of anything else as JSON', async () => {
  await check(
    '{ max_bytes: 4 }',
    ['abcd', '\u00e9\u00e9', 1234, [1], ''],
    ['abcde', '\u00e9\u00e9\u00e9', 12345, [1, 2]],
  );
});

test('T15 path: inside one of the folders, by its text', async () => {
  await check(
    '{ path: { under: [/data, /srv/x y] } }',
    [
      '/data',
      '/data/',
      '/data/a/b.txt',
      '/data/./a',
      '/data//a',
      '/srv/x y/z',
      '/data/...',
      '/data/a%20b',
      '/data/\u00e9',
    ],
    [
      '/database',
      '/data/../etc/passwd',
      '/data/a/..',
      'data/a',
      './data/a',
      '',
      '/',
      '/srv/x',
      '~/data',
      '//data/a',
      '/data/a\0.txt',
      '/data/\n',
      '/data/%2e%2e/etc',
      '/data/%2E%2E%2Fetc',
      '/data/..%2fetc',
      '/data\\..\\etc',
      '/data/\\..\\x',
      'file:///data/a',
      '/data/e\u0301',
      'C:\\data',
      '/DATA/a',
      5,
      ['/data'],
      { path: '/data' },
    ],
  );
  await check(
    '{ path: { under: [notes] } }',
    ['notes/a', './notes/a', 'notes'],
    ['/notes/a', '../notes/a', 'note', 'notes2/a'],
  );
});

test('T15 path: Windows paths by the rules of that system', async () => {
  await check(
    `{ path: { under: ['C:\\data'] } }`,
    ['C:\\data\\a', 'c:/DATA/a.txt', 'C:\\data', 'C:\\data\\.\\a'],
    [
      'C:\\database',
      'C:\\data\\..\\x',
      'C:data\\a',
      'D:\\data\\a',
      '\\\\?\\C:\\data\\a',
      '\\\\.\\C:\\data',
      '\\\\host\\data',
      '/data/a',
      'C:\\data\\a:stream',
      'C:\\data\\CON',
      'C:\\data\\com1.txt',
      'C:\\data\\a.',
      'C:\\data\\a ',
      'C:\\data\\PROGRA~1',
      'C:\\data\\a\0',
      'C:\\data\\..',
      'C:/data/../x',
    ],
  );
});

test('host: one of the listed ones, written so that every reader sees the same', async () => {
  await check(
    `{ host: { allow: [example.com, "*.corp.example", 10.0.0.1, "api.example.net:8443", "b\u00fccher.example", "[2001:db8::1]"] } }`,
    [
      'example.com',
      'example.com.',
      'EXAMPLE.com',
      'example.com:80',
      'https://example.com/x?y#z',
      'http://example.com:8080',
      'a.corp.example',
      'https://a.b.corp.example/',
      '10.0.0.1',
      'http://10.0.0.1/',
      'https://api.example.net:8443/v1',
      'b\u00fccher.example',
      'xn--bcher-kva.example',
      'http://[2001:db8::1]/',
    ],
    [
      'example.org',
      'corp.example',
      'xcorp.example',
      'example.com.evil.org',
      'evil-example.com',
      'https://example.com@evil.org/',
      'https://user:pw@example.com/',
      'https://evil.org#@example.com',
      'https://evil.org\\@example.com',
      'https://evil.org?example.com',
      'https:example.com',
      'https:///example.com',
      '//example.com',
      'javascript:alert(1)',
      'ftp://example.com/',
      'file://example.com/x',
      'http://0x0a000001/',
      'http://012.0.0.1/',
      '167772161',
      '10.1',
      'http://10.0.0.1.nip.io/',
      '[::ffff:10.0.0.1]',
      'http://[::ffff:a00:1]/',
      'http://[2001:DB8:0::1]/',
      'ex\u00e4mple.com',
      'example\u3002com',
      '\uff45xample.com',
      'exam\u00adple.com',
      'example.com\n',
      ' example.com',
      'example.com/',
      'example..com',
      'https://example.com:99999999/',
      'https://api.example.net/',
      'a%2ecorp.example',
      '',
      'https://',
      5,
      ['example.com'],
      'fa\u00df.corp.example',
      'a\u200db.corp.example',
      'https://EXAMPLE.com%00.evil.org/',
    ],
  );
});

test('host: the schemes of a URL are http and https unless said otherwise', async () => {
  await check(
    '{ host: { allow: [example.com], schemes: [ftp] } }',
    ['ftp://example.com/', 'example.com'],
    ['https://example.com/'],
  );
});

test('schema: what JSON Schema says, in draft 2020-12', async () => {
  await check(
    '{ schema: { type: object, properties: { n: { type: integer, minimum: 1 }, s: { pattern: "^a+$" } }, required: [n], additionalProperties: false } }',
    [{ n: 1 }, { n: 2, s: 'aa' }],
    [{}, { n: 0 }, { n: 1, x: 1 }, { n: 1, s: 'b' }, 'x', null, [], { n: 1.5 }],
  );
  await check(
    '{ schema: { $defs: { a: { type: string } }, type: array, items: { $ref: "#/$defs/a" }, prefixItems: [ { type: number } ] } }',
    [[1, 'a']],
    [['a'], [1, 2]],
  );
});

test('T19: schemas that explode, lead to themselves or elsewhere are errors where they stand', async () => {
  const bomb = (levels: number, width: number): string => {
    const level = (n: number): string => {
      const ref = `{ $ref: "#/$defs/l${n + 1}" }`;
      return `l${n}: { allOf: [${Array.from({ length: width }, () => ref).join(', ')}] }`;
    };
    const defs = Array.from({ length: levels }, (_, n) => level(n));
    return `{ $defs: { ${defs.join(', ')}, l${levels}: { type: string } }, $ref: "#/$defs/l0" }`;
  };
  const bombs: readonly [string, RegExp][] = [
    [bomb(20, 2), /at most 32 levels, references followed/],
    [bomb(6, 8), /stand for more than 10000 schemas/],
    ['{ $ref: "https://example.com/schema" }', /leads outside of the schema, and nothing is fetched/],
    ['{ $ref: "#" }', /# leads to itself/],
    ['{ $defs: { a: { $ref: "#/$defs/b" }, b: { $ref: "#/$defs/a" } }, $ref: "#/$defs/a" }', /leads to itself/],
    ['{ $ref: "#/$defs/none" }', /leads nowhere/],
    ['{ $id: "https://example.com/x" }', /\$id is not used here/],
    ['{ $dynamicRef: "#a" }', /\$dynamicRef is not used here/],
    [`{ enum: [${Array.from({ length: 600 }, () => '{}').join(',')}] }`, /at most 512 schemas/],
    ['{ type: strin }', /type must be/],
    ['{ typo: 1 }', /unknown keyword/],
    ['{ format: email }', /unknown format/],
    ['{ pattern: "(?=x)" }', /./],
  ];
  for (const [schema, why] of bombs) {
    await assert.rejects(judged(`{ schema: ${schema} }`), (error: Error & { code?: unknown }) => {
      assert.equal(error.code, 'config_invalid', schema);
      assert.match(error.message, why);
      assert.match(error.message, /^g\.yml:5:\d+: roles\.r\[0\]\.allow\.args\.x\.schema: /);
      return true;
    });
  }
  const nested = `${'{ not: '.repeat(40)}{}${' }'.repeat(40)}`;
  await assert.rejects(judged(`{ schema: ${nested} }`), /levels/);
  const may = await judged('{ schema: { type: array, uniqueItems: true } }');
  const before = performance.now();
  assert.equal(may(Array.from({ length: 100_000 }, (_, n) => ({ n }))), false);
  assert.ok(performance.now() - before < 1000);
});

test('each and args: of every item, of every member; members that nobody named are refused', async () => {
  await check(
    '{ each: { path: { under: [/data] } } }',
    [[], ['/data/a', '/data/b']],
    [['/data/a', '/etc'], '/data/a', [['/data/a']], { 0: '/data/a' }],
  );
  await check(
    '{ args: { owner: { enum: [acme] }, note: { any: true, optional: true } } }',
    [{ owner: 'acme' }, { owner: 'acme', note: { x: 1 } }],
    [{}, { owner: 'acme', other: 1 }, { owner: 'x' }, 'acme', null, [], { note: 1 }],
  );
  await check(
    '{ args: { owner: { enum: [acme] } }, additional: allow }',
    [{ owner: 'acme', other: 1 }],
    [{ other: 1 }],
  );
});

test('names with dots are members of members, and a backslash makes the dot part of the name', async () => {
  const policy = await policyOf(`
roles: { r: [ { allow: { tools: [t], args: { filter.owner: { enum: [acme] }, filter.repo.name: { enum: [x], optional: true }, 'a\\.b': { any: true, optional: true } } } } ] }
identities: { "ziti:alice": [r] }
`);
  const may = (args: Record<string, unknown>): boolean => policy.decide(person('alice'), call('fs', 't', args)).allow;
  assert.equal(may({ filter: { owner: 'acme' } }), true);
  assert.equal(may({ filter: { owner: 'acme', repo: { name: 'x' } }, 'a.b': 1 }), true);
  assert.equal(may({ filter: { owner: 'acme', repo: { name: 'y' } } }), false);
  assert.equal(may({ filter: { owner: 'acme', other: 1 } }), false);
  assert.equal(may({ 'filter.owner': 'acme' }), false);
  assert.equal(may({}), false);
  const { argument } = policy.decide(person('alice'), call('fs', 't', { filter: { owner: 'x' } }));
  assert.deepEqual(argument, ['filter', 'owner']);
});

test('arguments that no rule names are refused unless the rule lets them through', async () => {
  const rules = (more: string): string => `
roles: { r: [ { allow: { tools: [t], args: { a: { enum: [1] } }${more} } } ] }
identities: { "ziti:alice": [r] }`;
  const strict = await policyOf(rules(''));
  const open = await policyOf(rules(', additional: allow'));
  const may = (policy: typeof strict, args: object): boolean =>
    policy.decide(person('alice'), call('fs', 't', { ...args })).allow;
  assert.deepEqual(
    [{ a: 1 }, { a: 1, b: 2 }, {}, { b: 2 }].map((args) => may(strict, args)),
    [true, false, false, false],
  );
  assert.deepEqual(
    [{ a: 1 }, { a: 1, b: 2 }, {}, { b: 2 }].map((args) => may(open, args)),
    [true, true, false, false],
  );
  // An own member of this name is data like any other, and looked at.
  const hidden = JSON.parse('{"a":1,"__proto__":{"b":2}}') as object;
  assert.equal(
    strict.decide(person('alice'), { ...call('fs', 't'), args: hidden as Record<string, unknown> }).allow,
    false,
  );
});

test('T36: numbers that would arrive otherwise than they were judged fit nothing', async () => {
  const any = [
    '{ enum: [1, 12345678901234567000] }',
    '{ schema: { type: number } }',
    '{ schema: {} }',
    '{ max_bytes: 100 }',
    '{ schema: { type: object } }',
  ];
  for (const matcher of any) {
    const may = await judged(matcher);
    for (const text of ['12345678901234567890', '1e400', '-0', '0.1000000000000000000000000001']) {
      const { x } = parseExact(`{"x":${text}}`) as { x: unknown };
      assert.equal(may(x), false, `${matcher} ${text}`);
      assert.equal(may([x]), false, `${matcher} [${text}]`);
    }
  }
  await assert.rejects(judged('{ enum: [12345678901234567890] }'), /expected a number that is carried exactly/);
  const refuses = await judged('{ enum: [0] }', 'deny');
  assert.equal(refuses((parseExact('{"x":-0}') as { x: unknown }).x), false);
});

test('what a refusal cannot judge it refuses', async () => {
  for (const matcher of [
    '{ pattern: x }',
    '{ path: { under: [/data] } }',
    '{ host: { allow: [a.b] } }',
    '{ args: { y: { any: true } } }',
    '{ each: { enum: [1] } }',
  ]) {
    const may = await judged(matcher, 'deny');
    assert.equal(may({ odd: [{}] }) && matcher !== '{ args: { y: { any: true } } }', false, matcher);
    assert.equal(may(5), false, matcher);
  }
});
