// Alarms over a month of traffic, for several seeds, each with every kind of incident on one of its days. SEED and SEEDS choose
// others.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heardOf, mostADay, together } from '../../packages/gateway/test/alarms/month.ts';
import { incidents, normalTraffic } from '../../packages/gateway/test/alarms/town.ts';

const first = Number(process.env.SEED ?? 2026);
const seeds = Number(process.env.SEEDS ?? 10);
const DAYS = 30;

test(`a month of normal traffic: with seed ${first} alarms ring on no day twice, with none of ${seeds} more than once a day on average; planted incidents ring once`, async (t) => {
  for (let seed = first; seed < first + seeds; seed += 1) {
    const traffic = normalTraffic(seed, DAYS);
    const usual = await heardOf(traffic);
    t.diagnostic(`seed ${seed}: ${traffic.length} calls, ${usual.length} alarms, at most ${mostADay(usual)} a day`);
    assert.ok(usual.length <= DAYS, `seed ${seed}: ${JSON.stringify(usual)}`);
    if (seed === first) assert.ok(mostADay(usual) <= 1, `seed ${seed}: ${JSON.stringify(usual)}`);
    const planted = incidents(23);
    const all = await heardOf(together(traffic, ...planted.map(({ events }) => events)));
    const more = all.filter(({ id, at }) => !usual.some((one) => one.id === id && one.at === at));
    assert.deepEqual(more.map(({ rule }) => rule).sort(), planted.map(({ rule }) => rule).sort(), `seed ${seed}`);
  }
});
