// The `alarms` keys.

import assert from 'node:assert/strict';
import test from 'node:test';
import { DEFAULT_ALARMS } from '../src/index.ts';
import { configOf, problemsOf, withBackend } from './read.ts';

const alarmsOf = (text: string) => configOf(withBackend(text)).alarms;

test('without the key there are none; an empty one has those of DEFAULT_ALARMS, which hold nobody up; off is off', () => {
  assert.equal(alarmsOf(''), undefined);
  assert.equal(alarmsOf('alarms: off\n'), 'off');
  assert.deepEqual(alarmsOf('alarms: {}\n'), DEFAULT_ALARMS);
  assert.equal(DEFAULT_ALARMS.loop.slow ?? DEFAULT_ALARMS.loop.refuse, undefined);
});

test('every key means what it says', () => {
  const text = `alarms:
  off: [new_tool]
  loop: { calls: 10, within: 30s, slow: 15, refuse: 20 }
  rate: { calls: 100 }
  refusals: { within: 10m }
  learn: 3d
  hours: { from: "07:30", to: "24:00", days: [mon, sat], zone: europe/berlin, except: ["ziti:n"] }
  decoys: [ { backend: a, tool: dump, description: Dump it., arguments: [to] } ]
  hold: 2h
  command: [page-me, --now]
  webhook: http://127.0.0.1:9000/alarm
`;
  assert.deepEqual(alarmsOf(text), {
    off: ['new_tool'],
    loop: { calls: 10, withinMs: 30_000, slow: 15, refuse: 20 },
    rate: { calls: 100, withinMs: 60_000 },
    refusals: { calls: 30, withinMs: 600_000 },
    learnMs: 3 * 24 * 3_600_000,
    hours: { fromMinutes: 450, toMinutes: 1440, days: ['mon', 'sat'], zone: 'Europe/Berlin', except: ['ziti:n'] },
    decoys: [{ backend: 'a', tool: 'dump', description: 'Dump it.', arguments: ['to'] }],
    holdMs: 7_200_000,
    command: ['page-me', '--now'],
    webhook: { url: 'http://127.0.0.1:9000/alarm' },
  });
  assert.deepEqual((alarmsOf('alarms: { webhook: "share:pager" }\n') as { webhook?: unknown }).webhook, {
    share: 'pager',
  });
});

test('what would ring nobody, or somebody else, is a problem', () => {
  for (const [text, problem] of [
    ['webhook: https://pager.example.com/', /an http\(s\) URL of this machine, or share:TOKEN/],
    ['webhook: http://10.0.0.1/', /of this machine/],
    ['webhook: http://user:pw@127.0.0.1/', /of this machine/],
    ['webhook: http://127.0.0.1.example.com/', /of this machine/],
    ['command: []', /expected a program/],
    ['loop: { slow: 50, refuse: 20 }', /expected more than slow \(50\)/],
    ['decoys: [ { backend: fz, tool: x, description: y } ]', /unknown backend ..fz/],
    ['hours: { from: "25:00", to: "20:00", zone: UTC }', /a time such as 07:30/],
    ['hours: { from: "07:00", to: "24:30", zone: UTC }', /a time such as 07:30/],
    ['hours: { from: "07:00", to: "20:00", zone: Mars/Base }', /a time zone/],
    ['off: [loops]', /expected loop/],
  ] as const) {
    assert.match(JSON.stringify(problemsOf(withBackend(`alarms: { ${text} }\n`))), problem, text);
  }
});
