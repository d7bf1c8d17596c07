// Certificates of the login: whom they name, how long one is used, and what becomes of a controller that gives none.

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { createController } from '../../src/controller/controller.ts';
import type { Controller } from '../../src/controller/types.ts';
import { parseIdentity } from '../../src/identity.ts';
import { startTestNetwork, type TestNetwork, type TestNetworkOptions } from '../../src/testing/index.ts';
import { manualClock } from '../manual-clock.ts';

interface Setup extends AsyncDisposable {
  readonly net: TestNetwork;
  readonly id: string;
  readonly controller: Controller;
  /** Certificates asked for. */
  asked(): number;
  wait(ms: number): void;
}

const PATH = '/edge/client/v1/current-api-session/certificates';

async function setup(options: TestNetworkOptions = {}): Promise<Setup> {
  const net = await startTestNetwork(options);
  const identity = net.addIdentity('me');
  const manual = manualClock();
  let waited = 0;
  const clock = { ...manual, wall: () => Date.now() + waited };
  const controller = createController(parseIdentity(identity.json), { clock, random: () => 0, busyPausesMs: [1] });
  return {
    net,
    id: identity.id,
    controller,
    asked: () => net.controllers.flatMap(({ requests }) => requests).filter(({ path }) => path === PATH).length,
    wait: (ms) => {
      waited += ms;
    },
    [Symbol.asyncDispose]: async () => {
      await controller.close();
      await net.close();
    },
  };
}

for (const login of ['legacy', 'oidc'] as const) {
  for (const version of ['v1.6.0', 'v2.0.0']) {
    test(`${version}, ${login}: it names the identity as the controller does, for a key of its own`, async () => {
      await using it = await setup({ login, version });
      const { certPem, key, expiresAt } = await it.controller.sessionCertificate();
      const leaf = new X509Certificate(certPem);
      assert.match(leaf.subjectAltName ?? '', new RegExp(`^URI:spiffe://[^/]+/identity/${it.id}/apiSession/`));
      assert.match(leaf.subject, new RegExp(`^CN=${it.id}$`, 'm'));
      assert.ok(leaf.checkPrivateKey(key));
      assert.ok(leaf.checkIssued(new X509Certificate(it.net.pki.intermediatePem)));
      assert.equal(certPem.match(/BEGIN CERTIFICATE/g)?.length, 2, 'with what stands between it and the root');
      const hours = (expiresAt.getTime() - Date.now()) / 3_600_000;
      assert.ok(hours > 11 && hours < 13, `${hours} h`);
    });
  }
}

test('one is enough for all, until an hour before its end', async () => {
  await using it = await setup();
  const [first, second] = await Promise.all([it.controller.sessionCertificate(), it.controller.sessionCertificate()]);
  assert.equal(first, second);
  it.wait(10.9 * 3_600_000);
  assert.equal(await it.controller.sessionCertificate(), first);
  assert.equal(it.asked(), 1);
  it.wait(0.2 * 3_600_000);
  assert.notEqual(await it.controller.sessionCertificate(), first);
  assert.equal(it.asked(), 2);
});

test('a controller that gives none, or one that is not ours, is an error; the next time it is asked again', async () => {
  await using it = await setup();
  const [controller] = it.net.controllers;
  assert.ok(controller);
  const stranger = it.net.pki.issue({ commonName: it.id, use: 'client' }).certPem;
  const answers = [
    { code: 'controller_refused', status: 400, body: { error: { code: 'COULD_NOT_PROCESS_CSR', message: 'no' } } },
    { code: 'controller_answer_invalid', status: 201, body: { data: { certificate: stranger }, meta: {} } },
    { code: 'controller_answer_invalid', status: 201, body: { data: { certificate: 'nothing' }, meta: {} } },
    { code: 'controller_answer_invalid', status: 201, body: { data: {}, meta: {} } },
  ];
  for (const { code, ...answer } of answers) {
    using _ = controller.intercept(({ path }) => (path === PATH ? answer : undefined));
    await assert.rejects(it.controller.sessionCertificate(), { code });
  }
  assert.ok((await it.controller.sessionCertificate()).certPem);
});

test('who waits may stop waiting; the answer is there for the next', async () => {
  await using it = await setup();
  const stop = new AbortController();
  const waiting = it.controller.sessionCertificate(stop.signal);
  stop.abort();
  await assert.rejects(waiting, { code: 'aborted' });
  await it.controller.sessionCertificate();
  assert.equal(it.asked(), 1);
});

test('after the end there is none', async () => {
  const it = await setup();
  await it[Symbol.asyncDispose]();
  await assert.rejects(it.controller.sessionCertificate(), { code: 'controller_closed' });
});
