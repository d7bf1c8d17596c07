import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Decision } from '../../src/call/call.ts';
import type { Access } from '../../src/policy/access.ts';
import { bothOf, NO_ACCESS } from '../../src/policy/both.ts';

const says = (decision: Decision, personal = false): Access => ({
  personal,
  decide: () => decision,
  shows: () => decision.allow,
  reaches: () => decision.allow,
  mayAsk: () => decision.allow,
});
const yes = says({ allow: true, rule: 'old/1' });
const no = says({ allow: false, rule: 'default' }, true);

test('what one of the two refuses is refused, in lists, calls, reach and questions', () => {
  for (const [own, now, both] of [
    [yes, yes, true],
    [yes, no, false],
    [no, yes, false],
    [no, no, false],
    [yes, NO_ACCESS, false],
  ] as const) {
    const access = bothOf(
      () => own,
      () => now,
    );
    assert.equal(access.decide('b', 'tool', 't', {}).allow, both);
    assert.equal(access.shows('b', 'tool', 't'), both);
    assert.equal(access.reaches('b'), both);
    assert.equal(access.mayAsk('b', 'm'), both);
    assert.equal(access.personal, own.personal || now.personal);
  }
});

test('a call on record names the rules of now, and a refusal that is only recorded is not forgotten', () => {
  const decided = (own: Access, now: Access): Decision =>
    bothOf(
      () => own,
      () => now,
    ).decide('b', 'tool', 't', {});
  const newer = says({ allow: true, rule: 'new/1' });
  const shadow = says({ allow: true, rule: 'old/2', shadow: true });
  assert.equal(decided(yes, newer).rule, 'new/1');
  assert.deepEqual(decided(shadow, newer), { allow: true, rule: 'old/2', shadow: true });
  assert.equal(decided(newer, shadow).rule, 'old/2');
});

test('under one configuration rules are asked once', () => {
  let asked = 0;
  const decide = (): Decision => {
    asked += 1;
    return { allow: true, rule: 'r' };
  };
  const access: Access = { ...yes, decide };
  const both = bothOf(
    () => access,
    () => access,
  );
  both.decide('b', 'tool', 't', {});
  assert.equal(asked, 1);
});
