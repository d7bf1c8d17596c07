import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loginLegacy, refreshLegacy } from '../../src/controller/legacy-login.ts';
import type { Login, LoginTalk } from '../../src/controller/login.ts';
import { RECORDED_AT, recordedAnswer } from '../recorded.ts';

const CONTROLLER = 'https://127.0.0.1:11280/edge/client/v1';

/** A conversation in which each request is answered by the recorded login, changed. */
function talkWith(changes: object): LoginTalk {
  const { body, status } = recordedAnswer('legacy', 'POST', /authenticate/);
  const said = { ...(body as object), data: { ...(body as { data: object }).data, ...changes } };
  const client = {
    send: async () => ({ status, headers: {}, body: Buffer.from(JSON.stringify(said)) }),
    close: () => {},
  };
  return { client, controller: CONTROLLER, now: () => 5000, wall: () => RECORDED_AT, signal: undefined };
}

async function loginWith(changes: object): Promise<Login> {
  const outcome = await loginLegacy(talkWith(changes));
  assert.ok('login' in outcome);
  return outcome.login;
}

test('the life of a login is counted by its length, else by its end, else it is the shortest there is', async () => {
  assert.equal((await loginWith({})).endsAt, 5000 + 1_800_000);
  const at = (ms: number) => new Date(RECORDED_AT + ms).toISOString();
  assert.equal((await loginWith({ expirationSeconds: undefined, expiresAt: at(120_000) })).endsAt, 5000 + 120_000);
  for (const nonsense of [{ expiresAt: at(-1) }, { expiresAt: 'soon' }, { expiresAt: undefined }, { expiresAt: 7 }]) {
    const { endsAt, session } = await loginWith({ expirationSeconds: -1, ...nonsense });
    assert.equal(endsAt, 5000 + 60_000);
    assert.equal(session.expiresAt.getTime(), RECORDED_AT + 60_000);
  }
});

test('an identity without name is called by its id', async () => {
  assert.equal((await loginWith({ identity: undefined })).session.identityName, 'J1H8ULKHbr');
});

test('a refresh gives the same login with a new end', async () => {
  const login = await loginWith({});
  const outcome = await refreshLegacy(talkWith({ expirationSeconds: 60 }), login);
  assert.ok('login' in outcome);
  assert.equal(outcome.login.session.token, login.session.token);
  assert.equal(outcome.login.session.id, login.session.id);
  assert.equal(outcome.login.endsAt, 65_000);
});
