// `inject`: who gets which credential, as a file says it.

import assert from 'node:assert/strict';
import test from 'node:test';
import { configOf, problemsOf } from '../read.ts';

const STDIO = 'type: stdio, command: srv';
const HTTP = 'type: https, endpoint: "https://h.example/"';

function file(inject: string, transport = STDIO): string {
  return `backends:\n  - id: a\n    transport: { ${transport} }\n    inject: ${inject}\n`;
}

test('variables and headers are injected for everybody', () => {
  const [stdio] = configOf(file('{ env: { TOKEN: "vault:x", PLAIN: "${TOKEN}" } }')).backends;
  assert.deepEqual(stdio?.inject?.shared.env, {
    TOKEN: { parts: [{ kind: 'vault', name: 'x', text: 'vault:x' }] },
    PLAIN: 'from-env',
  });
  assert.equal(stdio?.inject?.perIdentity, undefined);
  const [http] = configOf(file('{ headers: { Authorization: "Bearer ${vault:x}" } }', HTTP)).backends;
  assert.deepEqual(Object.keys(http?.inject?.shared.headers ?? {}), ['Authorization']);
});

test('T06 entries by identity; whoever has none is refused unless the file says shared', () => {
  const entries =
    '"ziti:A.b": { env: { T: "vault:a" } }, "group:eng": { env: { T: "vault:b" } }, owner: { env: { T: "vault:c" } }';
  const [backend] = configOf(file(`{ per_identity: { ${entries} } }`)).backends;
  assert.equal(backend?.inject?.perIdentity?.others, 'refuse');
  assert.deepEqual(
    backend?.inject?.perIdentity?.own.map(({ name, is }) => [name, is]),
    [
      ['ziti:A.b', ['ziti:A.b']],
      ['group:eng', ['group:eng']],
      ['owner', ['owner']],
    ],
  );
  for (const others of ['refuse', 'shared'] as const) {
    const [one] = configOf(file(`{ per_identity: { ${entries}, default: ${others} } }`)).backends;
    assert.equal(one?.inject?.perIdentity?.others, others);
  }
});

test('an entry may be a name of identities, and means whom it means', () => {
  const roles = 'roles: { r: [ { allow: { backend: a, tools: ["*"] } } ] }\n';
  const identities = 'identities: { alice: { is: ["ziti:A.b", "group:eng"], roles: [r] }, owner: [r] }\n';
  const text = file('{ per_identity: { alice: { env: { T: "vault:a" } }, owner: { env: { T: "vault:o" } } } }');
  const [backend] = configOf(roles + identities + text).backends;
  assert.deepEqual(
    backend?.inject?.perIdentity?.own.map(({ name, is }) => [name, is]),
    [
      ['alice', ['ziti:A.b', 'group:eng']],
      ['owner', ['owner']],
    ],
  );
});

test('T06 per_identity: required wants {identity} in every reference, and no credential that all share', () => {
  const cmd = `'cmd:["pass","show","x/{identity}"]'`;
  const [backend] = configOf(file(`{ env: { T: ${cmd}, U: "vault:u-{identity}" }, per_identity: required }`)).backends;
  assert.deepEqual(backend?.inject?.perIdentity, { own: [], others: 'named' });
  const refused: readonly [string, string, RegExp][] = [
    [
      '{ env: { T: "vault:x" }, per_identity: required }',
      STDIO,
      /T is the same for everybody, and per_identity is required/,
    ],
    [`{ env: { T: ${cmd}, U: plain }, per_identity: required }`, STDIO, /U is the same for everybody/],
    ['{ per_identity: required }', STDIO, /expected headers or env beside it/],
    [
      `{ env: { T: ${cmd} }, per_identity: required }`,
      `${STDIO}, env: { S: "vault:s" }`,
      /S of the transport is a secret that everybody shares/,
    ],
    [
      '{ headers: { A: "${vault:{identity}}" }, per_identity: required }',
      `${HTTP}, headers: { Authorization: "Bearer abc12345" }`,
      /Authorization of the transport is a secret that everybody shares/,
    ],
  ];
  for (const [inject, transport, message] of refused)
    assert.match(problemsOf(file(inject, transport)).join(), message, inject);
});

test('{identity} stands only where it cannot lead elsewhere, and only where each is to have one of his own', () => {
  for (const [inject, message] of [
    [
      '{ env: { T: "file:/keys/{identity}" }, per_identity: required }',
      /can stand in cmd: and vault: only, not in file:/,
    ],
    [
      '{ env: { T: "${creds:{identity}}" }, per_identity: required }',
      /can stand in cmd: and vault: only, not in creds:/,
    ],
    ['{ env: { T: "vault:{identity}" } }', /\{identity\} wants per_identity: required/],
    ['{ env: { T: "vault:{identity}" }, per_identity: { owner: {} } }', /\{identity\} wants per_identity: required/],
    [`{ env: { T: 'cmd:["{identity}"]' }, per_identity: required }`, /expected a reference to a secret/],
  ] as const) {
    assert.match(problemsOf(file(inject)).join(), message, inject);
  }
  assert.match(
    problemsOf(file('{}', `${STDIO}, env: { T: "vault:{identity}" }`)).join(),
    /a secret for each \{identity\} belongs under inject/,
  );
});

test('what cannot be given to a backend is refused', () => {
  for (const [inject, transport, message] of [
    ['{ headers: { A: b } }', STDIO, /inject\.headers: cannot be given to a backend of type stdio: type stdio has env/],
    ['{ env: { A: b } }', HTTP, /inject\.env: cannot be given to a backend of type http: type http has headers/],
    ['{ env: { A: b } }', 'type: share, share_token: abc', /what injects is the gateway or bridge at the other end/],
    ['{ per_identity: { owner: { headers: { A: b } } } }', STDIO, /cannot be given to a backend of type stdio/],
    [
      '{ per_identity: { alice: { env: { A: b } } } }',
      STDIO,
      /expected a principal id .* or a name of identities \(got "alice"\)/,
    ],
    ['{ per_identity: {} }', STDIO, /expected at least one identity/],
    ['{ per_identity: { default: shared } }', STDIO, /expected at least one identity/],
    ['{ per_identity: { owner: {}, default: maybe } }', STDIO, /expected refuse or shared \(got "maybe"\)/],
    ['{ per_identity: { owner: null } }', STDIO, /expected a mapping with headers or env/],
    ['{ per_identity: often }', STDIO, /expected required, or a mapping of an identity to headers and env/],
    ['{ per_identity: null }', STDIO, /expected required, or a mapping/],
  ] as const) {
    assert.match(problemsOf(file(inject, transport)).join(), message, inject);
  }
});
