import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePatternFile } from '../src/index.ts';
import { configOf, problemsOf, withBackend } from './read.ts';

const NOTHING = { rules: {}, arguments: 'off', patterns: [], pii: [], note: true, tools: [] };

test('scrub: absent it is absent; a mode alone is enough; off may be written as YAML 1.1 writes it', () => {
  assert.equal(configOf(withBackend('')).scrub, undefined);
  assert.deepEqual(configOf(withBackend('scrub: redact\n')).scrub, { ...NOTHING, mode: 'redact' });
  assert.equal(configOf(withBackend('scrub: off\n')).scrub?.mode, 'off');
  assert.equal(configOf(withBackend('scrub: false\n')).scrub?.mode, 'off');
  assert.deepEqual(configOf(withBackend('scrub: {}\n')).scrub, NOTHING);
});

test('scrub: every key, paths absolute, overrides by backend and tool', () => {
  const config = configOf(
    withBackend(`    scrub: { mode: wrap, rules: { link-exfil: block } }
scrub:
  rules: { "secret-*": redact }
  arguments: block
  patterns: [own.yml]
  pii: [card, iban]
  hosts: ["*.example.com", localhost]
  on_timeout: block
  note: false
  tools: [ { backend: a, tools: [read_*], rules: { "pii-*": redact } } ]
`),
  );
  assert.deepEqual(config.scrub, {
    rules: { 'secret-*': 'redact' },
    arguments: 'block',
    patterns: ['/etc/mcp/own.yml'],
    pii: ['card', 'iban'],
    hosts: ['*.example.com', 'localhost'],
    onTimeout: 'block',
    note: false,
    tools: [{ backend: 'a', tools: ['read_*'], rules: { 'pii-*': 'redact' } }],
  });
  assert.deepEqual(config.backends[0]?.scrub, { mode: 'wrap', rules: { 'link-exfil': 'block' } });
});

const WRONG: readonly (readonly [string, string])[] = [
  ['scrub: mask', 'scrub: expected off, flag, redact, block or wrap (got "mask")'],
  ['scrub: [flag]', 'scrub: expected off, flag, redact, block or wrap, or a mapping (got a list)'],
  ['scrub: { rules: { "a b": flag } }', 'expected a rule id, or a pattern of ids (got "a b")'],
  ['scrub: { pii: [shoe-size] }', 'scrub.pii[0]: expected mail, phone, card'],
  ['scrub: { hosts: ["https://x"] }', 'scrub.hosts[0]: expected a host name, or *.domain (got "https://x")'],
  ['scrub: { on_timeout: pass }', 'scrub.on_timeout: expected flag or block (got "pass")'],
  ['scrub: { arguments: redact }', 'scrub.arguments: expected off, flag or block (got "redact")'],
  ['scrub: { tools: [ { backend: b, tools: [x] } ] }', 'scrub.tools[0].backend: no backend is called "b"'],
  ['scrub: { tools: [ { backend: a, tools: ["["] } ] }', 'scrub.tools[0].tools[0]: expected a pattern'],
  ['scrub: { modes: flag }', 'scrub.modes: unknown key; did you mean mode?'],
];

for (const [text, problem] of WRONG) {
  test(`${text} is refused in these words`, () => {
    const found = problemsOf(withBackend(`${text}\n`));
    assert.ok(
      found.some((one) => one.includes(problem)),
      found.join('\n'),
    );
  });
}

test('a pattern file: a dollar is a dollar, defaults are filled in, each entry knows where its pattern stands', () => {
  const [entry] = parsePatternFile(
    "patterns:\n  - { id: x, description: d, severity: low, re2: 'a$', literals: [a], tests: { hit: [a], miss: [b] } }\n",
    'p.yml',
  );
  assert.equal(entry?.re2, 'a$');
  assert.deepEqual(
    [entry?.mode, entry?.view, entry?.reach, entry?.group, entry?.entropy],
    ['flag', 'words', 256, 0, 0],
  );
  assert.equal(entry?.spot.line, 2);
});
