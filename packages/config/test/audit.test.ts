// The keys of `audit`.

import assert from 'node:assert/strict';
import test from 'node:test';
import { configOf, problemsOf, withBackend } from './read.ts';

const auditOf = (text: string) => configOf(withBackend(text)).audit;
const DEFAULT = {
  keys: [],
  durability: 'commit',
  arguments: 'digest',
  onFailure: 'deny',
  rotate: {},
  forwardSecure: false,
  receipts: true,
};

test('audit: without the key nothing is said of it, off is knowingly off, an empty mapping is on with all defaults', () => {
  assert.equal(auditOf(''), undefined);
  assert.equal(auditOf('audit:\n'), undefined);
  assert.equal(auditOf('audit: off\n'), 'off');
  assert.deepEqual(auditOf('audit: {}\n'), DEFAULT);
});

test('audit: every key is read, paths from the file, secrets as references', () => {
  const text = `audit:
  path: ./log
  key: "env:AUDIT_KEY"
  keys: ["file:old.key", 'cmd:["pass","show","x"]']
  durability: interval
  interval: 2s
  arguments: sealed
  on_failure: { buffer: 1000 }
  rotate: { bytes: 1MiB, age: 1h }
  checkpoint: { key: "file:/k.pem", every: 5m }
  receipts: false
`;
  assert.deepEqual(auditOf(text), {
    path: '/etc/mcp/log',
    key: { kind: 'env', name: 'AUDIT_KEY', text: 'env:AUDIT_KEY' },
    keys: [
      { kind: 'file', path: 'old.key', text: 'file:old.key' },
      { kind: 'cmd', argv: ['pass', 'show', 'x'], text: 'cmd:["pass","show","x"]' },
    ],
    durability: 'interval',
    intervalMs: 2000,
    arguments: 'sealed',
    onFailure: { buffer: 1000 },
    rotate: { bytes: 1024 * 1024, ageMs: 3_600_000 },
    checkpoint: { key: { kind: 'file', path: '/k.pem', text: 'file:/k.pem' }, everyMs: 300_000 },
    forwardSecure: false,
    receipts: false,
  });
  assert.deepEqual(auditOf('audit: { on_failure: allow, forward_secure: true }\n'), {
    ...DEFAULT,
    onFailure: 'allow',
    forwardSecure: true,
  });
});

test('audit: what is no reference, no number of records, is refused, and no secret shown', () => {
  const problems = problemsOf(
    withBackend(`audit:
  key: hunter2hunter2hunter2hunter2
  on_failure: buffer
  checkpoint: { every: 1m }
`),
  );
  assert.deepEqual(problems, [
    'g.yml:5:8: audit.key: expected a reference to a secret: file:/path, creds:name, vault:name, cmd:["program","argument"], keyring:service/user or env:NAME'.replace(
      ' (got some text)',
      '',
    ),
    'g.yml:6:15: audit.on_failure: expected deny or allow (got "buffer"); write on_failure: { buffer: 1000 }',
    'g.yml:7:15: audit.checkpoint.key: missing: an Ed25519 key (openssl genpkey -algorithm ed25519)',
  ]);
  assert.match(
    problemsOf(withBackend('audit: { on_failure: { buffer: 0 } }\n')).join(),
    /buffer: expected a whole number/,
  );
  assert.match(problemsOf(withBackend('audit: yes please\n')).join(), /audit: expected a mapping/);
});
