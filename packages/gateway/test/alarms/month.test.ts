// The figure of the issue, on a week and on the kinds of incidents; the whole month is test/long/alarms-month.long.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heardOf, mostADay, TEAM, together } from './month.ts';
import { incidents, normalTraffic } from './town.ts';

/** Habits are known after two days here, so that a week can show what they are good for. */
const SHORT = { ...TEAM, learnMs: 2 * 24 * 3600 * 1000 };

test('T33: over a week of normal traffic alarms ring no more than once a day', async () => {
  const rung = await heardOf(normalTraffic(2026, 7), SHORT);
  assert.ok(mostADay(rung) <= 1, JSON.stringify(rung));
});

test('T33: each planted incident rings exactly once, by its own rule, and nothing else does', async () => {
  const traffic = normalTraffic(2026, 5);
  const planted = incidents(3);
  const usual = await heardOf(traffic, SHORT);
  const all = await heardOf(together(traffic, ...planted.map(({ events }) => events)), SHORT);
  const more = all.filter(({ id, at }) => !usual.some((one) => one.id === id && one.at === at));
  const names = (rules: readonly string[]) => [...rules].sort();
  assert.deepEqual(names(more.map(({ rule }) => rule)), names(planted.map(({ rule }) => rule)));
});

test('alarms name identity, rule and records, and no argument', async () => {
  const [loop] = incidents(3);
  const [alarm] = await heardOf(loop?.events ?? [], SHORT);
  assert.equal(alarm?.rule, 'loop');
  assert.equal(alarm?.ident, 'ziti:alice');
  assert.deepEqual(alarm?.seqs, [16, 17, 18, 19, 20]);
  assert.ok(!JSON.stringify(alarm).includes('/same'));
});
