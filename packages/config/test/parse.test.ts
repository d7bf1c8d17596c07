import assert from 'node:assert/strict';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import test, { mock } from 'node:test';
import { configOf, notesOf, onlyTransport, parse, problemsOf, withBackend } from './read.ts';

test('a minimal file gets every default', () => {
  assert.deepEqual(configOf('backends: [{ id: a, transport: { type: stdio, command: srv } }]'), {
    format: 'ours',
    file: '/etc/mcp/g.yml',
    share: { mode: 'closed', grants: [], hosts: [] },
    trust: [],
    tokens: {},
    issuers: [],
    aggregator: { separator: '__', connectTimeoutMs: 120_000, callTimeoutMs: 600_000, listWaitMs: 3000 },
    backends: [
      {
        id: 'a',
        name: 'a',
        transport: { type: 'stdio', command: 'srv', args: [], env: {}, envPass: [] },
        disabled: false,
      },
    ],
    limits: {},
  });
});

test('every key of ours arrives, in ms, bytes and absolute paths', () => {
  const config = configOf(`
share: { token: my-gateway, mode: closed, grants: [bob@example.com, "ziti:a", "x509:CN=a b", "spiffe://c/d", network, unproven], hosts: ["ziti:Ab3dE.f7H"], overlay: local }
trust: [ca.pem, ~/other.pem]
aggregator:
  name: n
  version: 1.10
  separator: "-"
  connection: { connect_timeout: 1m30s, call_timeout: 2h, list_wait: 500ms }
log_file: logs/g.log
limits: { message_bytes: 32MiB, sessions: 7, calls_per_session: 1, calls_in_all: 2, calls_queued: 0, tools_per_backend: 3, definition_bytes: 65536 }
backends:
  - id: a
    name: A
    prefix: ""
    connect_timeout: 5s
    call_timeout: 1.5s
    tools: { mode: deny, list: ["w*"] }
    transport:
      type: stdio
      command: ./bin/srv
      args: [-v, 8080, true, "\${TOKEN}"]
      env: { PORT: 8080, DEBUG: true, __proto__: x }
      env_pass: [SSH_AUTH_SOCK]
      cwd: ~/data
  - { id: b, disabled: true, transport: { type: zrok, share_token: 12e4, overlay: zrok } }
  - { id: c, transport: { type: http, url: "https://h.example/x#f", protocol: auto, headers: { X-A: "1" }, tls: { ca_cert_file: ca.pem, insecure_skip_verify: true } } }
`);
  assert.deepEqual(config.share, {
    token: 'my-gateway',
    mode: 'closed',
    grants: ['bob@example.com', 'ziti:a', 'x509:CN=a b', 'spiffe://c/d', 'network', 'unproven'],
    hosts: ['ziti:Ab3dE.f7H'],
    overlay: 'local',
  });
  assert.deepEqual(config.aggregator, {
    name: 'n',
    version: '1.10',
    separator: '-',
    connectTimeoutMs: 90_000,
    callTimeoutMs: 7_200_000,
    listWaitMs: 500,
  });
  assert.deepEqual(config.trust, ['/etc/mcp/ca.pem', '/home/ann/other.pem']);
  assert.equal(config.logFile, '/etc/mcp/logs/g.log');
  assert.deepEqual(config.limits, {
    messageBytes: 32 * 1024 * 1024,
    sessions: 7,
    callsPerSession: 1,
    callsInAll: 2,
    callsQueued: 0,
    toolsPerBackend: 3,
    definitionBytes: 65536,
  });
  assert.deepEqual(config.backends[0], {
    id: 'a',
    name: 'A',
    transport: {
      type: 'stdio',
      command: '/etc/mcp/bin/srv',
      args: ['-v', '8080', 'true', 'from-env'],
      env: Object.fromEntries([
        ['PORT', '8080'],
        ['DEBUG', 'true'],
        ['__proto__', 'x'],
      ]),
      envPass: ['SSH_AUTH_SOCK'],
      cwd: '/home/ann/data',
    },
    disabled: false,
    prefix: '',
    tools: { mode: 'deny', list: ['w*'] },
    connectTimeoutMs: 5000,
    callTimeoutMs: 1500,
  });
  assert.deepEqual(config.backends[1]?.transport, { type: 'share', token: '12e4', overlay: 'zrok' });
  assert.equal(config.backends[1]?.disabled, true);
  assert.deepEqual(config.backends[2]?.transport, {
    type: 'http',
    url: 'https://h.example/x',
    protocol: 'auto',
    headers: { 'X-A': '1' },
    tls: { insecureSkipVerify: true, caCertFile: '/etc/mcp/ca.pem' },
    allowInsecure: false,
  });
});

test('a file of the Go original is known by its top keys and keeps its meaning', () => {
  const text = withBackend(
    'share_token: abc123xyz\norchestrator: { socket_path: /run/o.sock, heartbeat_interval: 30s }\nlog_file: g.log\n',
  );
  const { config } = parse(text);
  assert.equal(config.format, 'original');
  assert.equal(config.share.token, 'abc123xyz');
  assert.deepEqual(notesOf(text), [
    'g.yml:1:1: aggregator.separator: names are joined by __ (the Go original: _; separator: _ keeps that)',
    'g.yml:5:1: orchestrator: managed mode is not spoken: nothing connects to this socket',
    'g.yml:6:11: log_file: is relative to this file (the Go original: to where it is started)',
  ]);
});

test('a key of ours beside those of the original makes it our file', () => {
  assert.equal(configOf(withBackend('log_file: /g.log\nshare: { mode: closed }\n')).format, 'ours');
});

test('our shape may be written as JSON, and a file may begin with a brace and still be YAML', () => {
  const json = '{"backends": [{"id": "a", "transport": {"type": "stdio", "command": "srv"}}]}';
  const yaml = '{ backends: [ { id: a, transport: { type: stdio, command: srv } } ] }';
  for (const file of ['g.json', 'g.yml', 'g']) assert.equal(onlyTransport(json, file).type, 'stdio');
  for (const file of ['g.yml', 'g']) assert.equal(onlyTransport(yaml, file).type, 'stdio');
  assert.equal(onlyTransport(withBackend(''), 'g.json').type, 'stdio');
  assert.equal(onlyTransport(`\ufeff${withBackend('')}`).type, 'stdio');
});

test('an empty allow list allows nothing, and that is said', () => {
  for (const tools of ['{ mode: allow }', '{ list: [] }', '{}', '{ mode: allow, list: }']) {
    const text = withBackend(`    tools: ${tools}\n`);
    assert.deepEqual(configOf(text).backends[0]?.tools, { mode: 'allow', list: [] });
    assert.deepEqual(notesOf(text), [
      'g.yml:4:5: backends[0].tools: the allow list is empty: none of its tools is shown',
    ]);
  }
  assert.deepEqual(notesOf(withBackend('    tools: { mode: deny }\n')), []);
  assert.match(notesOf(withBackend('    tools: {}\nshare_token: abc123\n')).join(), /\(the Go original showed all\)/);
});

test('a list without a mode is an allow list', () => {
  assert.deepEqual(configOf(withBackend('    tools: { list: [a] }\n')).backends[0]?.tools, {
    mode: 'allow',
    list: ['a'],
  });
});

test('variables are replaced once, and $$ is a dollar', () => {
  const env = (value: string) => {
    const transport = onlyTransport(withBackend('', `type: stdio, command: srv, env: { V: '${value}' }`));
    return transport.type === 'stdio' ? transport.env.V : undefined;
  };
  assert.equal(env('a${TOKEN}b'), 'afrom-envb');
  assert.equal(env('${NOPE:-x:-y}'), 'x:-y');
  assert.equal(env('${EMPTY}'), '');
  assert.equal(env('${EMPTY:-d}'), 'd');
  assert.equal(env('${NOPE:-}'), '');
  assert.equal(env('$$'), '$');
  assert.equal(env('$${TOKEN}'), '${TOKEN}');
  assert.equal(env('$5 $HOME $'), '$5 $HOME $');
});

test('what a variable holds is not expanded again', () => {
  const { config } = parse(withBackend('', 'type: stdio, command: srv, args: ["${A}"]'), 'g.yml', { A: '${B} $$' });
  const [backend] = config.backends;
  assert.deepEqual(backend?.transport.type === 'stdio' && backend.transport.args, ['${B} $$']);
});

test('a variable that is not set does not stop a disabled backend', () => {
  const text = (type: string) =>
    `backends:\n  - { id: on, transport: { type: stdio, command: srv } }\n  - { id: off, disabled: true, transport: { ${type} } }\n`;
  for (const type of [
    'type: stdio, command: "${NOPE}"',
    'type: share, share_token: "${NOPE}"',
    'type: https, endpoint: "${NOPE}"',
  ]) {
    assert.equal(configOf(text(type)).backends[1]?.disabled, true);
  }
});

test('user and password of a URL become a header', () => {
  const transport = onlyTransport(withBackend('', 'type: https, endpoint: "https://u:p%40@h.example/"'));
  assert.ok(transport.type === 'http');
  assert.equal(transport.url, 'https://h.example/');
  assert.deepEqual(transport.headers, { Authorization: `Basic ${Buffer.from('u:p@').toString('base64')}` });
});

test('http:// needs allow_insecure, on this machine too', () => {
  const text = (rest: string) => withBackend('', `type: http, endpoint: "http://localhost:1/sse"${rest}`);
  assert.deepEqual(problemsOf(text('')), [
    'g.yml:3:30: backends[0].transport.endpoint: expected allow_insecure: true for an http:// URL; anybody on the way can read and change what is sent',
  ]);
  const transport = onlyTransport(text(', allow_insecure: true'));
  assert.ok(transport.type === 'http' && transport.allowInsecure);
});

test('what an http server speaks is found out where nothing is said; the original knows SSE alone', () => {
  const transport = (top: string, rest = ''): string => {
    const found = onlyTransport(withBackend(top, `type: https, endpoint: "https://h.example/x"${rest}`));
    return found.type === 'http' ? found.protocol : found.type;
  };
  assert.equal(transport(''), 'auto');
  assert.equal(transport('share_token: abc123\n'), 'sse');
  assert.equal(transport('share_token: abc123\n', ', protocol: streamable'), 'streamable');
});

test('secrets written out are warned of, never shown', () => {
  const secret = ['ghp', 'abcdefghijklmnop0123'].join('_');
  for (const transport of [
    `type: stdio, command: srv, env: { A: ${secret} }`,
    `type: stdio, command: srv, args: ["--key=${secret}"]`,
    `type: https, endpoint: "https://h.example/", headers: { X-Key: "${secret}" }`,
    'type: https, endpoint: "https://h.example/", headers: { Authorization: "Bearer abc12345" }',
    'type: stdio, command: srv, env: { DB: "postgres://u:hunter2@db/x" }',
    'type: stdio, command: srv, env: { MY_PASSWORD: hunter22 }',
    'type: stdio, command: srv, env: { X: q8Zr4Lw0vN2tYb7cKd5eUg9h }',
  ]) {
    const { notes } = parse(withBackend('', transport));
    assert.deepEqual(
      notes.map((note) => note.kind),
      ['inline-secret'],
      transport,
    );
    assert.doesNotMatch(notes[0]?.text ?? '', /ghp_|hunter|abc12345|q8Zr/);
  }
});

test('values that only look important are not warned of', () => {
  for (const transport of [
    'type: stdio, command: srv, env: { API_TOKEN: "${TOKEN}" }',
    'type: https, endpoint: "https://h.example/", headers: { Authorization: "Bearer ${TOKEN}" }',
    'type: stdio, command: npx, args: ["-y", "@modelcontextprotocol/server-sequential-thinking@2026.8.31"]',
    'type: stdio, command: srv, env: { TOKEN_FILE: /run/secrets/token, KEYBOARD: de }',
  ]) {
    assert.deepEqual(notesOf(withBackend('', transport)), [], transport);
  }
});

test('an argument that begins with ~/ begins in the home folder; in the middle of one ~ is a character', () => {
  const text = withBackend('', 'type: stdio, command: srv, args: ["~/x y/", "~", "--at=~/x", "~bob/x", "a~", "~x"]');
  const transport = onlyTransport(text);
  assert.ok(transport.type === 'stdio');
  assert.deepEqual(transport.args, ['/home/ann/x y/', '/home/ann', '--at=~/x', '~bob/x', 'a~', '~x']);
  assert.deepEqual(notesOf(text), []);
});

test('the guide of the original writes ~/ in arguments, which it passes on: here it is the home folder, and that is said', () => {
  const text = `share_token: my-share\n${withBackend('', 'type: stdio, command: srv, args: ["~/Documents"]')}`;
  const transport = onlyTransport(text);
  assert.deepEqual(transport.type === 'stdio' && transport.args, ['/home/ann/Documents']);
  assert.ok(
    notesOf(text).includes(
      'g.yml:4:45: backends[0].transport.args: ~/ is the home folder here (the Go original passes it on as it is)',
    ),
    notesOf(text).join('\n'),
  );
});

test('a path in the home folder of somebody who has none is refused; others do not need one', () => {
  const user = mock.method(os, 'userInfo', () => {
    throw new Error('uv_os_get_passwd returned ENOENT');
  });
  syncBuiltinESMExports();
  try {
    for (const env of [{}, { HOME: '' }, { HOME: 'relative' }]) {
      const read = (rest: string, transport: string) => parse(withBackend(rest, transport), 'g.yml', env);
      assert.equal(read('', 'type: stdio, command: ./srv').config.backends.length, 1);
      assert.throws(() => read('', 'type: stdio, command: srv, args: ["~/x"]'), {
        message: 'g.yml:3:45: backends[0].transport.args: expected a full path: this user has no home folder',
        hint: 'or set HOME',
      });
    }
  } finally {
    user.mock.restore();
    syncBuiltinESMExports();
  }
});

test('anchors and aliases work', () => {
  const config = configOf(
    'backends:\n  - id: a\n    transport: &t { type: stdio, command: srv }\n  - { id: b, transport: *t }\n',
  );
  assert.deepEqual(config.backends[1]?.transport, config.backends[0]?.transport);
});
