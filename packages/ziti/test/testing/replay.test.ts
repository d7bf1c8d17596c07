// Real exchanges again: the clients' frames go to our router, and its answers have to be those of the real one in everything
// that is not random: types, sequence numbers, header ids and values, texts, forwarded bodies, order.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Player } from './replay/player.ts';
import { type RecordedFrame, type Recording, recordings } from './replay/recording.ts';
import { type Stage, setStage } from './replay/stage.ts';

const timeout = 60_000;
/** One of the two ends was not recorded; or dials at the same moment, which came out in another order. */
const NOT_PLAYED = /go-host|go-dialer|pipelined|traceroute|c-sdk-refused|interleaved/;
/** The router ends the channel, not the client. */
const ENDED_BY_ROUTER: Readonly<Record<string, readonly string[]>> = {
  'hello-bad-token': ['unknown-token', 'token-of-other-identity'],
  'revoked-live': ['dialer'],
  'router-stopped': ['dialer', 'host'],
};
/** A host that never answers need not be waited for as long as it was. */
const SILENT_MS: Readonly<Record<string, number>> = { 'dial-silent-host': 300 };
const STATE_CLOSED = 60785;
const CONN_INSPECT = 60798;

for (const recording of recordings().filter(({ name }) => !NOT_PLAYED.test(name))) {
  test(`${recording.name}: answered as by the real router`, { timeout }, async () => {
    const stage = await setStage(recording, { silentMs: SILENT_MS[recording.name] ?? 5_000, badTokenMs: 60 });
    const player = new Player(stage, recording);
    try {
      await play(recording, stage, player);
      if (recording.name !== 'router-stopped') assert.deepEqual(player.rest(), []);
    } finally {
      player.close();
      await stage.router.kill();
    }
  });
}

test('there are recordings to play', () => {
  assert.ok(recordings().filter(({ name }) => !NOT_PLAYED.test(name)).length >= 10);
});

async function play(recording: Recording, stage: Stage, player: Player): Promise<void> {
  let due: (() => void) | undefined;
  for (const step of recording.steps) {
    if (step.kind === 'note') {
      due = actionOf(step.note, stage) ?? due;
      await stepAside(step.note, stage);
    } else if (step.kind === 'closed') {
      if (recording.name === 'router-stopped' && step.channel === 'dialer') await stage.router.kill();
      if (ENDED_BY_ROUTER[recording.name]?.includes(step.channel)) await player.ended(step.channel);
      else player.end(step.channel);
    } else if (step.direction === 'from-client') await player.send(step);
    else {
      // Everything sent before has arrived when the first effect is due.
      if (step.type === STATE_CLOSED) {
        due?.();
        due = undefined;
      }
      if (recording.name === 'dial-silent-host' && step.type === CONN_INSPECT) askAbout(stage, step);
      await player.expect(step);
    }
  }
}

/** What somebody did to the network at this point, with effects on channels. */
function actionOf(note: string, { state }: Stage): (() => void) | undefined {
  const end = (type: string) => () => {
    for (const session of [...state.serviceSessions.values()]) {
      const first = session.type === type && !session.ended;
      if (first) return state.endServiceSession(session);
    }
  };
  if (note === '(a) Dial policy deleted') return end('Dial');
  if (note === '(b) Bind policy deleted') return end('Bind');
  if (note !== '(c) dialer logs out') return undefined;
  return () => {
    const login = [...state.apiSessions.values()].find(({ identity }) => identity.name === 'dialer');
    if (login) state.endApiSession(login);
  };
}

async function stepAside(note: string, { service, router }: Stage): Promise<void> {
  if (note === '-- no shared router any more') service.permissions = { routers: [] };
  if (note === 'router started again') await router.start();
}

/** The controller asked for it. */
function askAbout({ router }: Stage, { channel, headers }: RecordedFrame): void {
  const asked = router.channels.find(({ identity }) => identity === channel);
  asked?.send(CONN_INSPECT, new Map(headers));
}
