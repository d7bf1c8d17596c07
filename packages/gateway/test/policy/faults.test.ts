// T40: whatever fails inside the rules, nothing is let through.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseGatewayConfig } from '@mcp-overlay/config';
import { compileArguments } from '../../src/policy/args/arguments.ts';
import { judge } from '../../src/policy/decide.ts';
import type { Engines } from '../../src/policy/engines.ts';
import type { Rule } from '../../src/policy/rule.ts';
import { compileSelection } from '../../src/policy/target.ts';
import { call, fileOf, person, policyOf } from './rules-of.ts';

/** What every matcher is made of, each with an engine that fails when it is used. */
const MATCHERS: Readonly<Record<string, string>> = {
  pattern: '{ pattern: "a" }',
  schema: '{ schema: { type: string } }',
  sql: '{ sql: { dialect: postgres } }',
  each: '{ each: { pattern: "a" } }',
  args: '{ args: { y: { pattern: "a" } } }',
};

const BROKEN: Engines = {
  patterns: () => ({ compile: () => ({ whole: fail, within: fail }) }),
  schemas: () => ({ compile: () => fail }),
  conditions: () => ({ compile: () => ({ fixed: false, holds: fail }) }),
  sql: () => ({ parse: fail, settled: async () => {} }),
};

function fail(): never {
  throw new Error('broken on purpose');
}

test('T40: a matcher that fails refuses, in allowances and refusals, also where another rule allows the call', () => {
  for (const [name, text] of Object.entries(MATCHERS)) {
    const { config } = parseGatewayConfig(fileOf(`roles: { r: [ { allow: { tools: [t], args: { x: ${text} } } } ] }`), {
      file: 'g.yml',
      env: {},
      cwd: '/',
    });
    const args = config.policy?.roles.get('r')?.[0]?.args;
    assert.ok(args);
    for (const effect of ['allow', 'deny'] as const) {
      const matcher = compileArguments(args, { engines: BROKEN, effect, problem: (_at, why) => assert.fail(why) });
      const rule = (more: Partial<Rule>): Rule => ({
        id: 'r/1',
        role: 'r',
        effect: 'allow',
        enforce: true,
        covers: compileSelection({}, { methods: false }),
        args: undefined,
        when: undefined,
        ...more,
      });
      const rules = [rule({ id: 'r/0' }), rule({ effect, args: matcher }), rule({ id: 'r/2' })];
      for (const order of [rules, [...rules].reverse()]) {
        const facts = {
          identity: { id: 'a', name: '', proven: true, via: 'ziti', groups: [], roles: [] },
          backend: 'fs',
          tool: 't',
          session: 0,
          atMs: 0,
        };
        const x = name === 'each' ? ['a'] : name === 'args' ? { y: 'a' } : 'a';
        const { strict, lenient } = judge(order, { ...facts, args: { x } }, { id: 'a', name: undefined }, false);
        assert.deepEqual([strict.allow, lenient.allow], [false, false], `${name} in ${effect}`);
        assert.match(strict.why ?? '', /rule r\/1 cannot be evaluated: broken on purpose/);
      }
    }
  }
});

test('T40: a condition that cannot be evaluated refuses, whatever else allows the call', async () => {
  for (const rule of [
    '{ allow: { tools: [t], when: "args.gone == 1" } }',
    '{ deny: { tools: [t], when: "args.gone == 1" } }',
  ]) {
    const policy = await policyOf(
      `roles: { r: [ { allow: { tools: [t] } }, ${rule}, { allow: { tools: ["*"] } } ] }\nidentities: { "ziti:a": [r] }`,
    );
    const decision = policy.decide(person('a'), call('fs', 't', { other: 1 }));
    assert.deepEqual([decision.allow, decision.rule], [false, 'r/2']);
    assert.equal(policy.decide(person('a'), call('fs', 'u')).allow, true);
  }
});

test('T40: an error in finding out who somebody is refuses too', async () => {
  const policy = await policyOf('roles: { r: [ { allow: { tools: ["*"] } } ] }\nidentities: { "ziti:a": [r] }', {
    handRole: fail,
  });
  const decision = policy.decide(person('a'), call('fs', 't'));
  assert.deepEqual([decision.allow, decision.rule], [false, 'error']);
  const odd = person('a', { groups: undefined as unknown as [] });
  assert.equal(policy.decide(odd, call('fs', 't')).allow, false);
});

test('what arguments a condition looks at is bounded, and beyond that it refuses', async () => {
  const policy = await policyOf(`
roles: { r: [ { allow: { tools: [t], when: "args.list.exists(x, x == 5)" } } ] }
identities: { "ziti:a": [r] }`);
  const may = (args: object): boolean => policy.decide(person('a'), call('fs', 't', { ...args })).allow;
  assert.equal(may({ list: [1, 5] }), true);
  assert.equal(may({ list: [1] }), false);
  assert.equal(may({ list: [5, ...Array.from({ length: 5000 }, () => 1)] }), false);
  assert.equal(may({ list: [5], text: 'x'.repeat(100_000) }), false);
});

test('conditions are checked when they are loaded: types, names, loops in loops, patterns that backtrack', async () => {
  const problems: readonly [string, RegExp][] = [
    ['identity.nam == \\"x\\"', /No such key: nam/],
    ['identity.id == 5', /no such overload/],
    ['identity.id', /must be true or false/],
    ['args.x ==', /./],
    ['nobody == 1', /Unknown variable/],
    ['args.a.all(x, args.b.exists(y, x == y))', /may not stand inside each other/],
    ['cel.bind(a, tool + tool, cel.bind(b, a + a, b == a))', /may not stand inside each other/],
    ['tool.matches(\\"(?=x)\\")', /invalid or unsupported/],
    ['tool.matches(tool)', /written out/],
    [Array.from({ length: 150 }, () => 'identity.proven').join(' && '), /maxAstNodes|exceed/i],
  ];
  for (const [when, why] of problems) {
    await assert.rejects(policyOf(`roles: { r: [ { allow: { tools: [t], when: "${when}" } } ] }`), (error: Error) => {
      assert.match(error.message, why);
      assert.match(error.message, /^g\.yml:5:\d+: roles\.r\[0\]\.allow\.when: expected a condition in CEL: /);
      return true;
    });
  }
});

test('a condition speaks of who asks, what for, with what, when', async () => {
  const may = async (when: string, args = {}, atMs = 0): Promise<boolean> => {
    const policy = await policyOf(
      `roles: { r: [ { allow: { tools: [t], when: '${when}' } } ] }\nidentities: { ann: { is: ["ziti:a"], roles: [r] } }`,
    );
    return policy.decide(person('a', { groups: ['staff'] }), { ...call('fs', 't', args), session: 7, atMs }).allow;
  };
  assert.equal(
    await may('identity.id == "ziti:a" && identity.name == "ann" && identity.proven && identity.via == "ziti"'),
    true,
  );
  assert.equal(await may('"staff" in identity.groups && "r" in identity.roles'), true);
  assert.equal(await may('backend == "fs" && tool == "t" && session.number == 7'), true);
  assert.equal(await may('args.n == 1 && args.s.startsWith("x") && args.o.p', { n: 1, s: 'xy', o: { p: true } }), true);
  assert.equal(await may('args.s.matches("^(a+)+$")', { s: 'a'.repeat(10_000) }), true);
  assert.equal(await may('args.s.matches("^(a+)+$")', { s: `${'a'.repeat(10_000)}b` }), false);
  assert.equal(await may('time.getHours("UTC") >= 9', {}, Date.UTC(2026, 0, 1, 10)), true);
  assert.equal(await may('time.getHours("UTC") >= 9', {}, Date.UTC(2026, 0, 1, 8)), false);
  assert.equal(await may('time < timestamp("2026-01-02T00:00:00Z")', {}, Date.UTC(2026, 0, 1)), true);
});
