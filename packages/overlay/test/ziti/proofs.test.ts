// Proofs over OpenZiti, with real connections, real bindings and certificates as controllers issue them. What both ends
// would put into their first lines is exchanged by hand.

import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import {
  startTestNetwork,
  type TestIdentity,
  type TestNetwork,
  type TestNetworkOptions,
} from '@mcp-overlay/ziti/testing';
import { type Connection, type Overlay, openOverlay } from '../../src/index.ts';
import { grantsOf } from '../../src/peers/admission.ts';
import { type GateJudgement, openGate } from '../../src/peers/gate.ts';
import { knownShares } from '../../src/peers/known-shares.ts';
import { ownIdentity } from '../../src/peers/self.ts';
import { shareGuard, shareKey } from '../../src/peers/share-guard.ts';
import { type Credential, credentialOf } from '../../src/proof/credential.ts';
import { pemBlocks } from '../../src/x509/pem.ts';

const timeout = 60_000;
const SHARE = 'town-hall';
const log = { info: () => {}, warn: () => {} };

type Proof = Readonly<Record<string, unknown>> | null;

interface Answer {
  readonly judged: GateJudgement;
  readonly proof: Proof;
}

interface House extends AsyncDisposable {
  readonly network: TestNetwork;
  readonly env: NodeJS.ProcessEnv;
  identity(name: string): TestIdentity;
  as(name: string): Promise<Overlay>;
  /** Hosts the share; ends with the returned function. */
  host(overlay: Overlay, grants?: readonly string[], hosts?: readonly string[]): Promise<() => Promise<void>>;
  /** Resolves when so many connections have come to hosts. */
  arrived(count: number): Promise<void>;
  /** What a first line gets, and what the dialer makes of the answer. `proof`: in the place of the dialer's own. */
  meet(overlay: Overlay, proof?: (own: Proof) => Proof): Promise<string>;
}

async function house(options: TestNetworkOptions = {}): Promise<House> {
  const folder = await mkdtemp(join(tmpdir(), 'ziti-proofs-'));
  const network = await startTestNetwork(options);
  network.addService(SHARE);
  const identities = new Map<string, TestIdentity>();
  const opened: Overlay[] = [];
  const env = { HOME: folder };
  let arrivals = 0;
  const identity = (name: string): TestIdentity => {
    const known = identities.get(name) ?? network.addIdentity(name);
    identities.set(name, known);
    return known;
  };
  return {
    network,
    env,
    identity,
    as: async (name) => {
      const { overlay } = await openOverlay({
        env,
        kind: 'ziti',
        identity: await network.identityFile(identity(name)),
      });
      opened.push(overlay);
      return overlay;
    },
    host: async (overlay, grants = [], hosts = []) => {
      const gate = openGate({
        overlay,
        share: Promise.resolve(SHARE),
        grants: grantsOf(grants),
        hosts,
        remedy: String,
        log,
      });
      const answer = async (connection: Connection): Promise<void> => {
        arrivals += 1;
        const line = await firstLine(connection).catch(() => undefined);
        // A way in that was only kept open.
        if (line === undefined) return;
        const { proof } = line as { proof: Proof };
        const judged = await gate.judge(connection, proof);
        connection.end(`${JSON.stringify({ judged, proof: await gate.prove(connection) })}\n`);
      };
      const listener = await overlay.listen(SHARE, { onConnection: (connection) => void answer(connection) });
      return () => listener.close();
    },
    arrived: async (count) => {
      while (arrivals < count) await turn();
    },
    meet: async (overlay, proof = (own) => own) => {
      const guard = shareGuard({ overlay, share: SHARE, env, log });
      const connection = await overlay.dial(SHARE);
      connection.on('error', () => {});
      try {
        const own = await guard.prove(connection);
        connection.write(`${JSON.stringify({ proof: proof(own) })}\n`);
        const { judged, proof: theirs } = (await firstLine(connection)) as Answer;
        if ('refused' in judged) return judged.refused.code;
        await guard.verify(connection, theirs);
        return 'asks' in judged ? 'asks' : judged.principal.id;
      } catch (error) {
        return (error as { code?: string }).code ?? String(error);
      } finally {
        connection.destroy();
      }
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(opened.map((overlay) => overlay.close()));
      await network.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function firstLine(connection: Connection): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let text = '';
    connection.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      if (text.includes('\n')) resolve(JSON.parse(text));
    });
    connection.on('error', () => {}).on('close', () => reject(new Error('no line came')));
  });
}

/** What an identity file holds, offered as it is. */
function enrolled({ certPem, keyPem }: TestIdentity): Credential {
  const certificates = pemBlocks(certPem).map(({ der }) => der);
  return credentialOf(certificates, createPrivateKey(keyPem), 'it');
}

/** The same overlay, proving itself with this. */
function proving(overlay: Overlay, credential: Credential | undefined): Overlay {
  const { proofs } = overlay;
  assert.ok(proofs);
  return { ...overlay, proofs: { ...proofs, credential: async () => credential } };
}

for (const version of ['v1.6.0', 'v2.0.0']) {
  test(`${version}: both ends are who their controller says, whatever the network says of callers`, {
    timeout,
  }, async () => {
    await using h = await house({ version });
    const [gateway, alice] = await Promise.all([h.as('gateway'), h.as('alice')]);
    assert.ok(gateway && alice);
    assert.deepEqual(await ownIdentity(alice), { id: `ziti:${h.identity('alice').id}`, name: h.identity('alice').id });
    await h.host(gateway, [`ziti:${h.identity('alice').id}`]);
    assert.equal(await h.meet(alice), `ziti:${h.identity('alice').id}`);
    assert.equal(await h.meet(await h.as('bob')), 'peer_refused');
    assert.equal(await h.meet(alice, () => null), 'peer_unproven', 'the caller id alone says alice');
    assert.equal((await knownShares(h.env).find(shareKey(alice, SHARE)))?.id, `ziti:${h.identity('gateway').id}`);
  });
}

test('1.6: what an identity file holds proves nobody, and nobody can have himself certified as another', {
  timeout,
}, async () => {
  await using h = await house({ version: 'v1.6.0' });
  const [gateway, mallory] = await Promise.all([h.as('gateway'), h.as('mallory')]);
  assert.ok(gateway && mallory);
  await h.host(gateway, ['network']);
  // As a request at enrolment could name it: the CA signs whatever subject it is asked for.
  const victim = h.identity('victim').id;
  const { key, certPem } = h.network.pki.issue({ commonName: victim, use: 'client' });
  assert.ok(key);
  const forged = credentialOf(
    pemBlocks(certPem + h.network.pki.intermediatePem).map(({ der }) => der),
    key,
    'it',
  );
  const offers = { naming: 'x509' as const, certificates: [], revocations: [] };
  // A program that does not look at its own certificate first.
  const reckless = (credential: Credential): Overlay => {
    const overlay = proving(mallory, credential);
    return { ...overlay, proofs: { network: 'ziti', credential: async () => credential, trust: async () => [offers] } };
  };
  assert.equal(await h.meet(reckless(forged)), 'proof_name_unvouched');
  assert.equal(await h.meet(reckless(enrolled(h.identity('mallory')))), 'proof_name_unvouched');
  // Ours does, and comes as nobody.
  assert.equal(await h.meet(proving(mallory, forged)), 'peer_unproven');
  assert.equal(await h.meet(mallory), `ziti:${h.identity('mallory').id}`);
});

test('a router’s certificate and a controller’s are no identities', { timeout }, async () => {
  await using h = await house();
  const [gateway, alice] = await Promise.all([h.as('gateway'), h.as('alice')]);
  assert.ok(gateway && alice);
  await h.host(gateway, ['network', 'unproven']);
  const { pki } = h.network;
  const machine = (commonName: string, uri: string[], use: 'client' | 'server' | 'both'): Credential => {
    const { key, chainPem } = pki.issue({ commonName, use, uri });
    assert.ok(key);
    return credentialOf(
      pemBlocks(chainPem).map(({ der }) => der),
      key,
      'it',
    );
  };
  const { id } = h.identity('alice');
  const rows: [Credential, string][] = [
    [machine('r1', ['spiffe://net/router/r1'], 'both'), 'proof_not_identity'],
    [machine('ctrl1', ['spiffe://net/controller/ctrl1'], 'both'), 'proof_not_identity'],
    // A router's own request decides its URIs, but not its CN; its server certificate is for servers only.
    [machine('r1', [`spiffe://net/identity/${id}`], 'client'), 'proof_name_unvouched'],
    [machine(id, [`spiffe://net/identity/${id}`], 'server'), 'proof_not_client'],
  ];
  const trust = { naming: 'x509' as const, certificates: [], revocations: [] };
  for (const [credential, code] of rows) {
    const overlay = {
      ...alice,
      proofs: { network: 'ziti', credential: async () => credential, trust: async () => [trust] },
    };
    assert.equal(await h.meet(overlay), code);
  }
});

test('a replayed proof, and one of another connection, are told apart and refused', { timeout }, async () => {
  await using h = await house();
  const [gateway, alice, mallory] = await Promise.all(['gateway', 'alice', 'mallory'].map(h.as));
  assert.ok(gateway && alice && mallory);
  await h.host(gateway, ['network']);
  let caught: Proof = null;
  const keep = (own: Proof): Proof => {
    caught = own;
    return own;
  };
  assert.match(await h.meet(alice, keep), /^ziti:/);
  assert.equal(await h.meet(mallory, () => caught), 'proof_replayed');
  // Never shown to this host: made for a connection that broke before.
  const broken = await alice.dial(SHARE);
  const unused = await shareGuard({ overlay: alice, share: SHARE, env: h.env, log }).prove(broken);
  broken.destroy();
  assert.equal(await h.meet(mallory, () => unused), 'proof_binding');
});

test('somebody in between has another binding on either side: both ends see it', { timeout }, async () => {
  await using h = await house();
  const [gateway, mallory, alice] = await Promise.all(['gateway', 'mallory', 'alice'].map(h.as));
  assert.ok(gateway && mallory && alice);
  const stop = await h.host(gateway, ['network']);
  assert.match(await h.meet(alice), /^ziti:/);
  // A way to the real host, kept when it lets others have the name.
  const ways = await Promise.all([mallory.dial(SHARE), mallory.dial(SHARE)]);
  for (const way of ways) way.on('error', () => {});
  await h.arrived(3);
  await stop();
  const listener = await mallory.listen(SHARE, {
    onConnection: (victim) => {
      const way = ways.pop();
      victim.on('error', () => {});
      if (way) victim.pipe(way).pipe(victim);
      else victim.destroy();
    },
  });
  assert.equal(await h.meet(alice), 'proof_binding', 'the host does not take what was made for the one in between');
  // An honest host, if it were not to look, still cannot be passed on: its proof is for the other connection.
  assert.equal(await h.meet(alice, () => null), 'peer_unproven');
  await listener.close();
});

test('a host that takes anybody cannot be passed on either: its proof is caught by who dials', {
  timeout,
}, async () => {
  await using h = await house();
  const [gateway, mallory, alice] = await Promise.all(['gateway', 'mallory', 'alice'].map(h.as));
  assert.ok(gateway && mallory && alice);
  const stop = await h.host(gateway, ['unproven']);
  const way = await mallory.dial(SHARE);
  way.on('error', () => {});
  await h.arrived(1);
  await stop();
  await mallory.listen(SHARE, {
    onConnection: (victim) => {
      victim.on('error', () => {});
      victim.pipe(way).pipe(victim);
    },
  });
  assert.equal(await h.meet(alice, () => null), 'proof_binding');
});

test('two hosts of one service: the known one vouches for the other, a third is refused', { timeout }, async () => {
  await using h = await house();
  const [one, two, three, alice] = await Promise.all(['one', 'two', 'three', 'alice'].map(h.as));
  assert.ok(one && two && three && alice);
  const hosts = ['one', 'two'].map((name) => `ziti:${h.identity(name).id}`);
  for (const [overlay, expected] of [
    [one, /^ziti:/],
    [two, /^ziti:/],
    [three, /^host_changed$/],
  ] as const) {
    const stop = await h.host(overlay, ['network'], hosts);
    assert.match(await h.meet(alice), expected);
    await stop();
  }
});

test('a service without encryption carries no proofs: nobody is anybody there', { timeout }, async () => {
  await using h = await house();
  h.network.addService('plain', { encryption: false });
  const [gateway, alice] = await Promise.all([h.as('gateway'), h.as('alice')]);
  assert.ok(gateway && alice);
  const gate = openGate({
    overlay: gateway,
    share: Promise.resolve('plain'),
    grants: grantsOf(['network']),
    remedy: String,
    log,
  });
  let told: (judged: GateJudgement) => void = () => {};
  const judged = new Promise<GateJudgement>((resolve) => {
    told = resolve;
  });
  await gateway.listen('plain', {
    onConnection: (connection) => {
      connection.on('error', () => {});
      assert.equal(connection.binding, null);
      void gate.judge(connection, null).then(told);
    },
  });
  const connection = await alice.dial('plain');
  assert.equal(await shareGuard({ overlay: alice, share: 'plain', env: h.env, log }).prove(connection), null);
  const answer = await judged;
  assert.equal('refused' in answer && answer.refused.code, 'peer_unproven');
  connection.destroy();
});

test('local takes an OpenZiti identity, too, and believes its network', { timeout }, async () => {
  await using h = await house({ version: 'v2.0.0' });
  const identity = await h.network.identityFile(h.identity('alice'));
  const { overlay } = await openOverlay({ env: h.env, kind: 'local', identity });
  assert.deepEqual(await ownIdentity(overlay), { id: `ziti:${h.identity('alice').id}`, name: h.identity('alice').id });
  await overlay.close();
});
