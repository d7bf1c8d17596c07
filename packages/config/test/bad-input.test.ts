// Each bad input with the exact words a person reads.
import assert from 'node:assert/strict';
import test from 'node:test';
import { errorOf, notesOf, problemsOf, withBackend } from './read.ts';

const stdio = '{ type: stdio, command: srv }';
const port = 'a share token looks like my-gateway or x7k2mq9w0abc; the host prints it';

const CASES: readonly (readonly [title: string, text: string, problems: readonly string[], file?: string])[] = [
  [
    'broken YAML',
    'backends:\n  - id: [a\n',
    ['g.yml:3:1: not valid YAML: flow sequence in block collection must be sufficiently indented and end with a ]'],
  ],
  [
    'a tab as indentation',
    'backends:\n\t- id: a\n',
    ['g.yml:2:1: not valid YAML: tabs are not allowed as indentation; indent with spaces'],
  ],
  [
    'a key given twice',
    withBackend('    name: x\n    name: y\n'),
    ['g.yml:5:5: name: key "name" is given twice; first on line 4'],
  ],
  [
    'a colon in a value',
    'share: a: b\n',
    [
      'g.yml:1:8: not valid YAML: nested mappings are not allowed in compact mappings; quote a value that contains a colon and a space',
    ],
  ],
  [
    'two documents',
    `${withBackend('')}---\nb: 1\n`,
    ['g.yml:4:1: not valid YAML: more than one document; one file holds one configuration, remove the line ---'],
  ],
  ['a tag', withBackend('    name: !secret x\n'), ['g.yml:4:11: not valid YAML: unresolved tag: !secret']],
  ['an alias without anchor', 'backends: *x\n', ['g.yml:1:11: expected an anchor &x before the alias']],
  ['a mapping as a key', '? [a]\n: b\n', ['g.yml:1:3: expected a word as the key']],
  [
    'broken JSON',
    '{\n  "mcpServers": {\n    "a": { "command" "x" }\n  }\n}',
    ['g.json:3:22: not valid JSON: expected : after the key (got "\\"")'],
    'g.json',
  ],
  [
    'JSON cut off',
    '{"mcpServers": {',
    ['g.json:1:17: not valid JSON: expected a key in double quotes or } (got the end of the file)'],
    'g.json',
  ],
  [
    'JSON text without end',
    '{"a": "b\n}',
    ['g.json:1:7: not valid JSON: the text that begins here has no closing quote'],
    'g.json',
  ],
  [
    'a JSON key given twice',
    '{"mcpServers":{"a":{"command":"x"},\n"a":{"command":"y"}}}',
    ['g.json:2:1: a: key "a" is given twice; first on line 1'],
    'g.json',
  ],
  ['an empty file', '', ['g.yml: expected a configuration (got an empty file); it needs at least backends:']],
  [
    'a file of comments',
    '# nothing\n',
    ['g.yml: expected a configuration (got an empty file); it needs at least backends:'],
  ],
  ['only words', 'hello\n', ['g.yml:1:1: expected a mapping with backends, or mcpServers (got "hello")']],
  ['a list', '- a\n', ['g.yml:1:1: expected a mapping with backends, or mcpServers (got a list)']],
  [
    'no backends',
    'aggregator: { name: x }\n',
    ['g.yml:1:1: backends: missing: the servers behind the gateway, at least one'],
  ],
  [
    'backends without value',
    'backends:\n',
    ['g.yml:1:1: backends: missing: the servers behind the gateway, at least one'],
  ],
  [
    'an empty list of backends',
    'backends: []\n',
    ['g.yml:1:1: backends: expected at least one backend (got an empty list)'],
  ],
  [
    'only disabled backends',
    `backends: [{ id: a, disabled: true, transport: ${stdio} }]\n`,
    ['g.yml:1:1: backends: expected at least one backend that is not disabled'],
  ],
  [
    'a backend that is a word',
    'backends: [npx]\n',
    ['g.yml:1:12: backends[0]: expected a mapping with id and transport (got "npx")'],
  ],
  [
    'an unknown key at the top',
    withBackend('agregator: {}\n'),
    ['g.yml:4:1: agregator: unknown key; did you mean aggregator?'],
  ],
  [
    'an unknown key of a transport',
    withBackend('', 'type: stdio, comand: srv'),
    [
      'g.yml:3:16: backends[0].transport.command: missing: the program to run (type stdio needs it)',
      'g.yml:3:31: backends[0].transport.comand: unknown key; did you mean command?',
    ],
  ],
  [
    'a camel-case key',
    withBackend('', 'type: stdio, command: srv, workingDir: /x'),
    ['g.yml:3:45: backends[0].transport.workingDir: unknown key; did you mean working_dir?'],
  ],
  [
    'a key like no other',
    withBackend('', 'type: stdio, command: srv, zzz: 1').replace('transport', 'name: x\n    transport'),
    [
      'g.yml:4:45: backends[0].transport.zzz: unknown key; known here: type, command, args, env, env_pass, working_dir, share_token, overlay, access, access_key, endpoint, protocol, headers, tls, allow_insecure',
    ],
  ],
  [
    'a key in the wrong place',
    withBackend('    command: srv\n'),
    ['g.yml:4:5: backends[0].command: unknown key; command belongs under transport'],
  ],
  [
    'missing id',
    `backends: [{ transport: ${stdio} }]\n`,
    ['g.yml:1:12: backends[0].id: missing: names the backend; its tools are called id__tool'],
  ],
  [
    'missing transport',
    'backends: [{ id: a }]\n',
    ['g.yml:1:12: backends[0].transport: missing: how the server is reached'],
  ],
  [
    'missing command',
    withBackend('', 'type: stdio, args: [x]'),
    ['g.yml:3:16: backends[0].transport.command: missing: the program to run (type stdio needs it)'],
  ],
  [
    'empty command',
    withBackend('', 'type: stdio, command: ""'),
    ['g.yml:3:40: backends[0].transport.command: expected the program to run (got empty text)'],
  ],
  [
    'unknown type',
    withBackend('', 'type: sdtio, command: srv'),
    [
      'g.yml:3:24: backends[0].transport.type: expected stdio, share, zrok, http or https (got "sdtio"); did you mean stdio?',
    ],
  ],
  [
    'sse as a type',
    withBackend('', 'type: sse, endpoint: "https://x"'),
    [
      'g.yml:3:24: backends[0].transport.type: expected stdio, share, zrok, http or https (got "sse"); write type: https and protocol: sse',
    ],
  ],
  [
    'a key of another type',
    withBackend('', 'type: share, share_token: box, command: srv'),
    ['g.yml:3:49: backends[0].transport.command: belongs to type stdio, not share'],
  ],
  [
    'an unset variable',
    withBackend('', 'type: stdio, command: srv, env: { A: "${NOPE}" }'),
    ['g.yml:3:55: backends[0].transport.env.A: variable NOPE is not set; set it, or write ${NOPE:-default}'],
  ],
  [
    'a variable without a name',
    withBackend('', 'type: stdio, command: "${env:X}"'),
    [
      'g.yml:3:40: backends[0].transport.command: a reference to a secret can stand in env, headers and inject only; write ${VAR} or ${VAR:-default}, and $$ for a dollar',
    ],
  ],
  [
    'a variable without end',
    withBackend('', 'type: stdio, command: "a${X"'),
    [
      'g.yml:3:40: backends[0].transport.command: expected } after ${; write ${VAR} or ${VAR:-default}, and $$ for a dollar',
    ],
  ],
  [
    'a port instead of a share',
    withBackend('', 'type: share, share_token: 8080'),
    [`g.yml:3:44: backends[0].transport.share_token: expected a share token, but that is a port (got 8080); ${port}`],
  ],
  [
    'a URL instead of a share',
    withBackend('', 'type: zrok, share_token: "https://x.example"'),
    [
      `g.yml:3:43: backends[0].transport.share_token: expected a share token, but that is a URL (got "https://x.example"); ${port}`,
    ],
  ],
  [
    'a path instead of a share',
    withBackend('share: { token: ./x.sock }\n'),
    [`g.yml:4:17: share.token: expected a share token, but that is a path (got "./x.sock"); ${port}`],
  ],
  [
    'an address instead of a share',
    withBackend('share_token: "127.0.0.1:80"\n'),
    [`g.yml:4:14: share_token: expected a share token, but that is an address (got "127.0.0.1:80"); ${port}`],
  ],
  [
    'words instead of a share',
    withBackend('share_token: my gateway\n'),
    [`g.yml:4:14: share_token: expected a share token (got "my gateway"); ${port}`],
  ],
  [
    'a token twice',
    withBackend('share: { token: ab1, share_token: ab2 }\n'),
    ['g.yml:4:22: share.share_token: share_token and token are the same key'],
  ],
  [
    'a token at the top and in share',
    withBackend('share: { token: ab1 }\nshare_token: ab2\n'),
    ['g.yml:5:1: share_token: share_token and share.token are the same key'],
  ],
  [
    'an open share',
    withBackend('share: { mode: open }\n'),
    [
      'g.yml:4:16: share.mode: expected closed (got "open"); a share is always closed; grants: [unproven] lets in callers without proof',
    ],
  ],
  [
    'grants that mean nobody',
    withBackend('share: { grants: [bob, "ziti:", "*", unprovn, owner] }\n'),
    ['g.yml:4:19', 'g.yml:4:24', 'g.yml:4:33', 'g.yml:4:38', 'g.yml:4:47'].map((at, index) => {
      const form = 'a principal id (ziti:…, spiffe://…, x509:…), an e-mail, network or unproven';
      const got = ['bob', 'ziti:', '*', 'unprovn', 'owner'][index];
      return `${at}: share.grants[${index}]: expected ${form} (got "${got}")`;
    }),
  ],
  [
    'hosts by a name that proves nothing',
    withBackend('share: { hosts: [other-gateway] }\n'),
    [
      'g.yml:4:18: share.hosts[0]: expected a principal id (ziti:…, spiffe://…, x509:…) (got "other-gateway"); as mcp-gateway peers and mcp-tools status show it',
    ],
  ],
  ['trust that is no list', withBackend('trust: ca.pem\n'), ['g.yml:4:8: trust: expected a list (got "ca.pem")']],
  [
    'a bad glob',
    withBackend('    tools: { list: ["a*", "[a"] }\n'),
    ['g.yml:4:27: backends[0].tools.list[1]: expected a pattern (got "[a"); a [ has no ]'],
  ],
  [
    'an unknown filter mode',
    withBackend('    tools: { mode: block, list: [a] }\n'),
    ['g.yml:4:20: backends[0].tools.mode: expected allow or deny (got "block")'],
  ],
  [
    'a filter without content',
    withBackend('    tools:\n'),
    ['g.yml:4:5: backends[0].tools: expected a mapping (got nothing); or remove the key'],
  ],
  [
    'a filter that is a list',
    withBackend('    tools: [read]\n'),
    ['g.yml:4:12: backends[0].tools: expected a mapping (got a list)'],
  ],
  [
    'duplicate ids',
    `backends:\n  - { id: a, transport: ${stdio} }\n  - { id: a, transport: ${stdio} }\n`,
    ['g.yml:3:7: backends[1].id: id "a" is used twice; first on line 2'],
  ],
  [
    'a bad id',
    `backends: [{ id: a__b, transport: ${stdio} }]\n`,
    [
      'g.yml:1:18: backends[0].id: expected 1 to 32 letters, digits, _ or -, first a letter or digit, without __ (got "a__b")',
    ],
  ],
  [
    'a duration without unit',
    withBackend('aggregator: { connection: { call_timeout: 30 } }\n'),
    ['g.yml:4:43: aggregator.connection.call_timeout: expected a duration such as 30s, 500ms, 1m30s or 2h (got 30)'],
  ],
  [
    'a duration with a strange unit',
    withBackend('    call_timeout: 3 days\n'),
    ['g.yml:4:19: backends[0].call_timeout: expected a duration such as 30s, 500ms, 1m30s or 2h (got "3 days")'],
  ],
  [
    'a zero duration',
    withBackend('    call_timeout: 0s\n'),
    ['g.yml:4:19: backends[0].call_timeout: expected a duration such as 30s, 500ms, 1m30s or 2h (got "0s")'],
  ],
  [
    'a duration that overflows a timer',
    withBackend('    call_timeout: 600h\n'),
    ['g.yml:4:19: backends[0].call_timeout: expected a duration such as 30s, 500ms, 1m30s or 2h (got "600h")'],
  ],
  [
    'a time limit in the wrong place',
    withBackend('aggregator: { call_timeout: 3s }\n'),
    ['g.yml:4:15: aggregator.call_timeout: unknown key; call_timeout belongs under aggregator.connection'],
  ],
  ['a list for text', withBackend('    name: [x]\n'), ['g.yml:4:11: backends[0].name: expected text (got a list)']],
  ['a boolean for text', withBackend('    name: true\n'), ['g.yml:4:11: backends[0].name: expected text (got true)']],
  [
    'text for a boolean',
    withBackend('    disabled: "yes"\n'),
    ['g.yml:4:15: backends[0].disabled: expected true or false (got "yes")'],
  ],
  [
    'text for a list',
    withBackend('', 'type: stdio, command: srv, args: -y'),
    ['g.yml:3:51: backends[0].transport.args: expected a list (got "-y")'],
  ],
  [
    'a list for a mapping',
    withBackend('', 'type: stdio, command: srv, env: [A=b]'),
    ['g.yml:3:50: backends[0].transport.env: expected a mapping (got a list)'],
  ],
  [
    'a mapping for a value',
    withBackend('', 'type: stdio, command: srv, env: { A: { b: c } }'),
    ['g.yml:3:55: backends[0].transport.env.A: expected text or a reference to a secret (got a mapping)'],
  ],
  [
    'a variable without value',
    withBackend('', 'type: stdio, command: srv, env: { A: }'),
    ['g.yml:3:52: backends[0].transport.env.A: expected text or a reference to a secret (got nothing)'],
  ],
  [
    'a bad variable name',
    withBackend('', 'type: stdio, command: srv, env: { "A=B": c }'),
    ['g.yml:3:52: backends[0].transport.env."A=B": expected the name of a variable (got "A=B")'],
  ],
  [
    'a NUL character',
    withBackend('', 'type: stdio, command: "a\\0b"'),
    ['g.yml:3:40: backends[0].transport.command: expected the program to run without NUL or broken characters'],
  ],
  [
    'a header with a line break',
    withBackend('', 'type: https, endpoint: "https://x", headers: { A: "b\\r\\nC: d" }'),
    ['g.yml:3:68: backends[0].transport.headers.A: expected one line of Latin-1 text'],
  ],
  [
    'a bad header name',
    withBackend('', 'type: https, endpoint: "https://x", headers: { "A B": c }'),
    ['g.yml:3:65: backends[0].transport.headers."A B": expected the name of a header (got "A B")'],
  ],
  [
    'http for https',
    withBackend('', 'type: https, endpoint: "http://x"'),
    [
      'g.yml:3:31: backends[0].transport.endpoint: expected an https:// URL for type https (got http://); or write type: http and allow_insecure: true',
    ],
  ],
  [
    'no URL',
    withBackend('', 'type: https, endpoint: "x.example/mcp"'),
    ['g.yml:3:31: backends[0].transport.endpoint: expected an http:// or https:// URL'],
  ],
  [
    'tls for http',
    withBackend('', 'type: http, endpoint: "http://x", allow_insecure: true, tls: { insecure_skip_verify: true }'),
    ['g.yml:3:74: backends[0].transport.tls: belongs to https:// URLs'],
  ],
  [
    'another’s home',
    withBackend('log_file: ~bob/x\n'),
    ['g.yml:4:11: log_file: expected ~/ or a full path: other people’s home folders are not looked up'],
  ],
  [
    'a limit out of range',
    withBackend('limits: { sessions: 0, message_bytes: 1KiB, calls_queued: many }\n'),
    [
      'g.yml:4:21: limits.sessions: expected a whole number, 1 to 100000 (got 0)',
      'g.yml:4:39: limits.message_bytes: expected bytes (18MiB, 64KiB), 65536 to 268435456 (got "1KiB")',
      'g.yml:4:59: limits.calls_queued: expected a whole number, 0 to 100000 (got "many")',
    ],
  ],
  [
    'pins of a mode that does not exist',
    withBackend('pins: tofu\n'),
    ['g.yml:4:7: pins: expected first-use, strict or off (got "tofu")'],
  ],
];

for (const [title, text, problems, file] of CASES) {
  test(`${title} is refused in these words`, () => {
    assert.deepEqual(problemsOf(text, file), problems);
  });
}

test('all problems of a file are said at once, in file order', () => {
  const error = errorOf(
    'share: { mode: open }\naggregator: { nam: x }\nbackends:\n  - { id: a }\n  - id: b\n    transport: { type: x }\n',
  );
  assert.deepEqual(
    error.all.map(({ line, key }) => `${line} ${key}`),
    ['1 share.mode', '2 aggregator.nam', '4 backends[0].transport', '6 backends[1].transport.type'],
  );
  assert.equal(error.message, error.all.map((problem) => problem.text).join('\n'));
  assert.equal(error.hint, undefined);
});

test('a single problem keeps its hint apart, and every fact has a field', () => {
  const { code, file, line, col, key, expected, hint, message } = errorOf(withBackend('agregator: {}\n'));
  assert.deepEqual(
    { code, file, line, col, key, expected, hint, message },
    {
      code: 'config_invalid',
      file: 'g.yml',
      line: 4,
      col: 1,
      key: 'agregator',
      expected: 'unknown key',
      hint: 'did you mean aggregator?',
      message: 'g.yml:4:1: agregator: unknown key',
    },
  );
});

test('of very many problems the first fifty are written out', () => {
  const error = errorOf(`backends:\n${'  - x\n'.repeat(1000)}`);
  assert.equal(error.all.length, 1000);
  assert.equal(error.message.split('\n').length, 51);
  assert.match(error.message, /g\.yml: 950 more problems$/);
});

test('an alias bomb ends at the cap', () => {
  const bomb = [
    'a: &a0 [x, x]',
    ...Array.from({ length: 30 }, (_, i) => `a${i}: &a${i + 1} [*a${i}, *a${i}]`),
    'backends: *a30',
  ].join('\n');
  assert.match(problemsOf(bomb).at(-1) ?? '', /: expected at most 100 uses of aliases$/);
});

test('an alias inside its own anchor ends at a cap', () => {
  assert.match(problemsOf('backends: &a [*a]\n').join(), /expected at most|expected an anchor/);
});

test('depth is capped in both syntaxes, however it is written', () => {
  for (const [text, file] of [
    ['['.repeat(100_000), 'g.json'],
    ['['.repeat(100_000), 'g.yml'],
    ['- '.repeat(100_000), 'g.yml'],
    ['- '.repeat(100), 'g.yml'],
    [`${'{a: '.repeat(300)}"x\\n y"${'}'.repeat(300)}`, 'g.yml'],
    [Array.from({ length: 120 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'), 'g.yml'],
    ['- '.repeat(100_000), 'g.json'],
    ['? '.repeat(100_000), 'g.yml'],
    ['{a: '.repeat(50_000), 'g.yml'],
    [`x: ${'['.repeat(100)}${']'.repeat(100)}`, 'g.yml'],
    [`${' '.repeat(100_000)}a: 1`, 'g.yml'],
    [`a: 1\r${'- '.repeat(100_000)}`, 'g.yml'],
    [`backends:\n${' '.repeat(70_000)}- a\n`, 'g.yml'],
  ] as const) {
    assert.match(
      problemsOf(text, file).join(),
      /levels of nesting|open brackets|columns of indentation/,
      text.slice(0, 10),
    );
  }
});

test('a value is never shown where secrets stand', () => {
  const secret = 'hunter2hunter2';
  for (const transport of [
    `type: stdio, command: srv, env: { A: [${secret}] }`,
    `type: stdio, command: srv, args: [{ a: ${secret} }]`,
    `type: https, endpoint: "ftp://u:${secret}@x"`,
    `type: https, endpoint: "https://x", headers: { A: "${secret}\\n" }`,
    `type: https, endpoint: ["${secret}"]`,
  ]) {
    assert.ok(!errorOf(withBackend('', transport)).message.includes(secret), transport);
  }
});

test('a file cannot write control characters to the terminal', () => {
  const { message } = errorOf(
    withBackend('    "na\\emX\\u202e": 1\n    name: ["\\e[2J"]\n    prefix: "\\e[2J\\u202e"\n'),
  );
  assert.doesNotMatch(message.replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u);
});

test('nothing in a value takes time beyond its length', () => {
  const many = 'x${'.repeat(60_000);
  const ours = JSON.stringify({ backends: [{ id: 'a', transport: { type: 'stdio', command: many } }] });
  assert.match(problemsOf(ours, 'g.json').join(), /expected the name of a variable|expected } after/);
  const client = JSON.stringify({ mcpServers: { a: { command: 'x', args: [many], [`k${'y'.repeat(100_000)}`]: 1 } } });
  assert.equal(notesOf(client, 'g.json').length, 2);
});
