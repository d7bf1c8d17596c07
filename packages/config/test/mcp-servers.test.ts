import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { parseGatewayConfig } from '../src/index.ts';
import { idsOf } from '../src/mcp-servers.ts';
import { configOf, ENV, notesOf, onlyTransport, problemsOf } from './read.ts';

const file = 'mcp.json';
const one = (server: object, key = 'mcpServers'): string => JSON.stringify({ [key]: { srv: server } });

test('a client’s file becomes backends', () => {
  const config = configOf(
    one({ command: 'npx', args: ['-y', 'x'], env: { A: 'b', N: 1 }, cwd: 'data', timeout: 60_000 }),
    file,
  );
  assert.deepEqual(config, {
    format: 'mcp-servers',
    file: '/etc/mcp/mcp.json',
    share: { mode: 'closed', grants: [], hosts: [] },
    trust: [],
    tokens: {},
    issuers: [],
    aggregator: { separator: '__', connectTimeoutMs: 120_000, callTimeoutMs: 600_000, listWaitMs: 3000 },
    backends: [
      {
        id: 'srv',
        name: 'srv',
        transport: {
          type: 'stdio',
          command: 'npx',
          args: ['-y', 'x'],
          env: { A: 'b', N: '1' },
          envPass: [],
          cwd: '/etc/mcp/data',
        },
        disabled: false,
        callTimeoutMs: 60_000,
      },
    ],
    limits: {},
  });
});

test('servers of VS Code, its user settings, and the same as YAML are taken', () => {
  assert.equal(onlyTransport(one({ type: 'stdio', command: 'x' }, 'servers'), file).type, 'stdio');
  assert.equal(
    onlyTransport('{"mcp": {"servers": {"a": {"command": "x"}}}, "editor.fontSize": 12}', file).type,
    'stdio',
  );
  assert.equal(onlyTransport('mcpServers:\n  a:\n    command: x\n', 'x.yml').type, 'stdio');
  assert.equal(onlyTransport('// c\n{"servers": {"a": {"type":"stdio","command":"x",},},}', 'x').type, 'stdio');
});

test('the transport follows from type and keys', () => {
  const protocol = (server: object): string => {
    const transport = onlyTransport(one(server), file);
    return transport.type === 'http' ? `${transport.protocol} ${transport.url}` : transport.type;
  };
  const url = 'https://h.example/mcp';
  assert.equal(protocol({ url }), `auto ${url}`);
  assert.equal(protocol({ serverUrl: url }), `auto ${url}`);
  assert.equal(protocol({ type: 'sse', url }), `sse ${url}`);
  for (const type of ['http', 'streamable-http', 'streamableHttp'])
    assert.equal(protocol({ type, url }), `streamable ${url}`);
  assert.equal(protocol({ httpUrl: url }), `streamable ${url}`);
  assert.equal(protocol({ httpUrl: url, url: 'https://other.example/' }), `streamable ${url}`);
  assert.equal(protocol({ type: 'local', command: 'x' }), 'stdio');
  assert.equal(protocol({ command: 'x', disabled: false }), 'stdio');
});

test('headers of both names are sent', () => {
  const transport = onlyTransport(one({ url: 'https://h/', headers: { A: '1' }, additionalHeaders: { B: '2' } }), file);
  assert.deepEqual(transport.type === 'http' && transport.headers, { A: '1', B: '2' });
});

test('variables are replaced as the clients do', () => {
  const arg = (value: string, path = file): string | undefined => {
    const transport = onlyTransport(one({ command: 'x', args: [value] }), path);
    return transport.type === 'stdio' ? transport.args[0] : undefined;
  };
  assert.equal(arg('${TOKEN}'), 'from-env');
  assert.equal(arg('${env:TOKEN}'), 'from-env');
  assert.equal(arg('${NOPE:-d}'), 'd');
  assert.equal(arg('${userHome}/x'), '/home/ann/x');
  assert.equal(arg('${workspaceFolder}'), '/etc/mcp');
  assert.equal(arg('${workspaceFolder}', 'p/.vscode/mcp.json'), '/etc/mcp/p');
  assert.equal(arg('$$ $TOKEN'), '$$ $TOKEN');
  assert.equal(arg('${TOKEN%%:*}'), '${TOKEN%%:*}');
  assert.equal(arg('${'), '${');
});

test('tools that a client includes or excludes are filtered, names taken literally', () => {
  const tools = (server: object) => configOf(one({ command: 'x', ...server }), file).backends[0]?.tools;
  assert.deepEqual(tools({ includeTools: ['a', 'b*'] }), { mode: 'allow', list: ['a', 'b\\*'] });
  assert.deepEqual(tools({ includeTools: ['a', 'b'], excludeTools: ['b'] }), { mode: 'allow', list: ['a'] });
  assert.deepEqual(tools({ disabledTools: ['a'] }), { mode: 'deny', list: ['a'] });
  assert.deepEqual(tools({ includeTools: [] }), { mode: 'allow', list: [] });
  assert.deepEqual(tools({ tools: ['*'] }), undefined);
  assert.deepEqual(tools({ tools: ['*'], excludeTools: ['a'] }), { mode: 'deny', list: ['a'] });
  assert.deepEqual(tools({ excludeTools: ['*'] }), { mode: 'deny', list: ['*'] });
  assert.deepEqual(tools({}), undefined);
});

test('what we do not know is said and ignored', () => {
  const text = JSON.stringify({ inputs: [], mcpServers: { a: { command: 'x', trust: true, diabled: true } } }, null, 1);
  assert.deepEqual(notesOf(text, file), [
    'mcp.json:1:1: ignored: inputs',
    'mcp.json:6:4: mcpServers.a.trust: ignored, we do not know this key',
    'mcp.json:7:4: mcpServers.a.diabled: ignored, we do not know this key (did you mean disabled?)',
  ]);
});

test('a disabled server is kept out, and what it lacks does not matter', () => {
  for (const off of [{ disabled: true }, { enabled: false }]) {
    const text = JSON.stringify({ mcpServers: { on: { command: 'x' }, off: { url: '${NOPE}', ...off } } });
    assert.deepEqual(
      configOf(text, file).backends.map(({ id, disabled }) => [id, disabled]),
      [
        ['on', false],
        ['off', true],
      ],
    );
    assert.match(notesOf(text, file).join(), /mcpServers\.off: off is disabled in the file/);
  }
});

test('http:// is taken on this machine, elsewhere it has to be said', () => {
  for (const host of ['localhost', '127.0.0.1', '127.3.2.1', '[::1]']) {
    const transport = onlyTransport(one({ url: `http://${host}:1/x` }), file);
    assert.ok(transport.type === 'http' && transport.allowInsecure, host);
  }
  for (const host of ['h.example', '127.0.0.1.example', 'localhost.example', '10.0.0.1']) {
    assert.match(
      problemsOf(one({ url: `http://${host}/` }), file).join(),
      /expected an https:\/\/ URL, or allowInsecure: true/,
    );
  }
  assert.equal(onlyTransport(one({ url: 'http://h.example/', allowInsecure: true }), file).type, 'http');
});

test('bad entries are refused with their places', () => {
  const cases: readonly (readonly [object | string, string])[] = [
    [{}, 'mcp.json:1:16: mcpServers.srv: expected command, or url'],
    ['npx', 'mcp.json:1:16: mcpServers.srv: expected a mapping with command or url (got "npx")'],
    [{ type: 'http' }, 'mcp.json:1:16: mcpServers.srv: expected url for type http'],
    [{ type: 'http', command: 'x' }, 'mcp.json:1:16: mcpServers.srv: expected url for type http'],
    [{ url: 'h.example' }, 'mcp.json:1:23: mcpServers.srv.url: expected an http:// or https:// URL'],
    [
      { command: 'x', env: { A: '${input:key}' } },
      'mcp.json:1:48: mcpServers.srv.env.A: ${input:key} asks a person, which a gateway cannot; write ${env:NAME} instead',
    ],
    [
      { command: '${NOPE}' },
      'mcp.json:1:33: mcpServers.srv.command: variable NOPE is not set; set it, or write ${NOPE:-default}',
    ],
    [
      { command: 'x', timeout: '3s' },
      'mcp.json:1:47: mcpServers.srv.timeout: expected a whole number, 1 to 2147483647 (got "3s")',
    ],
  ];
  for (const [server, problem] of cases) assert.deepEqual(problemsOf(one(server as object), file), [problem]);
  assert.deepEqual(problemsOf('{"mcpServers": []}', file), [
    'mcp.json:1:16: mcpServers: expected a mapping of servers by name (got a list)',
  ]);
  assert.deepEqual(problemsOf('{"mcpServers": {}}', file), [
    'mcp.json:1:16: mcpServers: expected at least one backend (got an empty list)',
  ]);
});

test('a timeout is milliseconds as Gemini means it, or seconds as Cline and Roo mean it: those are said', () => {
  for (const [written, ms, notes] of [
    [60_000, 60_000, []],
    [1000, 1000, []],
    [
      60,
      60_000,
      ['mcp.json:1:37: mcpServers.srv.timeout: is taken as 60 s: below 1000 it can hardly mean milliseconds'],
    ],
  ] as const) {
    const text = one({ command: 'x', timeout: written });
    assert.equal(configOf(text, file).backends[0]?.callTimeoutMs, ms);
    assert.deepEqual(notesOf(text, file), notes);
  }
});

test('an argument that begins with a tilde is passed on as clients do, and that is said', () => {
  const text = one({ command: 'x', args: ['~/x'] });
  const transport = onlyTransport(text, file);
  assert.deepEqual(transport.type === 'stdio' && transport.args, ['~/x']);
  assert.deepEqual(notesOf(text, file), [
    'mcp.json:1:37: mcpServers.srv.args: an argument begins with ~: no shell is involved, the server gets it as it is',
  ]);
});

test('names that are no ids become ids, and that is said', () => {
  const text = JSON.stringify({ mcpServers: { 'My Server': { command: 'x' }, ok: { command: 'y' } } });
  const { config, notes } = parseGatewayConfig(text, { file, env: ENV, cwd: '/' });
  assert.deepEqual(
    config.backends.map(({ id, name }) => [id, name]),
    [
      ['My-Server', 'My Server'],
      ['ok', 'ok'],
    ],
  );
  assert.deepEqual(
    notes.map(({ kind, text }) => [kind, text]),
    [['renamed', 'mcp.json:1:16: mcpServers."My Server": is called My-Server here']],
  );
});

test('ids are legal, unique, and the same in any order', () => {
  const name = fc.oneof(
    fc.string({ unit: fc.constantFrom('a', 'A', '_', '-', ' ', '.', 'é', '😀'), maxLength: 40 }),
    fc.string({ unit: 'binary' }),
  );
  fc.assert(
    fc.property(fc.uniqueArray(name, { maxLength: 12 }), fc.infiniteStream(fc.nat()), (names, random) => {
      const ids = idsOf(names);
      assert.equal(new Set(ids.values()).size, names.length);
      for (const id of ids.values()) assert.match(id, /^(?!.*__)[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/);
      const order = names.map((one) => [random.next().value as number, one] as const).sort(([a], [b]) => a - b);
      const shuffled = idsOf(order.map(([, one]) => one));
      for (const one of names) assert.equal(shuffled.get(one), ids.get(one));
    }),
    { numRuns: process.env.TEST_LONG ? 20_000 : 500 },
  );
});
