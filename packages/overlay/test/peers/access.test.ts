// Tokens at the gate: who comes in with one, what each misuse is answered with, and when whoever is in is out again.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { keyPem, newKey } from '../../src/access/keys.ts';
import { type MintOptions, mintToken, narrowToken } from '../../src/access/mint.ts';
import type { AccessSource } from '../../src/access/present.ts';
import { type AccessToken, tokenText } from '../../src/access/token.ts';
import { openTokenBook } from '../../src/access/token-book.ts';
import { grantsOf } from '../../src/peers/admission.ts';
import { type GateJudgement, type GateOptions, type GateRefusal, openGate } from '../../src/peers/gate.ts';
import { openPeerBook } from '../../src/peers/peer-book.ts';
import { shareGuard } from '../../src/peers/share-guard.ts';
import { idsOf, isPrincipalId } from '../../src/proof/principal.ts';
import { testAuthority } from '../../src/testing/pki.ts';
import { bareConnection, type ProvingOptions, provingOverlay } from '../../src/testing/proving.ts';
import { tempOverlay } from '../../src/testing/temp-overlay.ts';

const ca = testAuthority('net');
const host = ca.issue('gateway', { uris: ['spiffe://net/identity/gateway'] });
const HOUR = 3_600_000;
const log = { info: () => {}, warn: () => {} };
const sealed = (text: string) => ({ use: <T>(fn: (value: Buffer) => T): T => fn(Buffer.from(text)) });

interface Options extends Partial<ProvingOptions> {
  readonly gate?: Partial<GateOptions>;
  readonly rules?: boolean;
  readonly now?: () => number;
}

async function house({ gate: more = {}, rules = false, now, ...proving }: Options = {}) {
  const temp = await tempOverlay();
  const overlay = provingOverlay({ env: temp.env, kind: 'local', ...proving });
  const book = await openPeerBook({ share: undefined, env: temp.env, log });
  const tokens = await openTokenBook({ share: 'box', env: temp.env, ...(now && { now }) });
  const gate = openGate({
    overlay,
    share: Promise.resolve('box'),
    grants: grantsOf([]),
    book,
    access: { book: tokens, rules },
    remedy: String,
    log,
    ...(now && { now }),
    ...more,
  });
  const network = overlay.kind === 'local' ? 'local' : 'ziti';
  return {
    overlay,
    gate,
    book,
    tokens,
    env: temp.env,
    mint: async (options: Partial<MintOptions> = {}) => {
      const at = now?.() ?? Date.now();
      const usual = {
        signer: await tokens.keyToMint(),
        network,
        share: 'box',
        name: 'bob',
        from: at,
        until: at + HOUR,
      };
      return mintToken({ ...usual, ...options });
    },
    /** Over a link, as a dialer of ours does. */
    come: async (token: AccessToken, key?: string): Promise<GateJudgement> => {
      const binding = randomBytes(32);
      const access: AccessSource = async () => ({ token: sealed(tokenText(token)), ...(key && { key: sealed(key) }) });
      const guard = shareGuard({ overlay, share: 'box', env: temp.env, access, log });
      return gate.judge(bareConnection(binding), await guard.prove(bareConnection(binding)));
    },
    /** Over HTTP. */
    bring: (bearer: string): Promise<GateJudgement> => gate.judge(bareConnection(), { access: { bearer } }),
    [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose](),
  };
}

function codeOf(judged: GateJudgement): string {
  if ('asks' in judged) return 'asks';
  return 'refused' in judged ? judged.refused.code : 'in';
}

test('a token lets in as what it says, over a link and over HTTP, and the dialer is told', async () => {
  await using net = await house();
  const { token, rights } = await net.mint({ only: { tools: ['read_*'] } });
  const judged = await net.come(token);
  assert.deepEqual(judged, {
    principal: {
      id: `token:${rights.ids[0]}`,
      name: 'bob',
      proven: true,
      via: 'local',
      groups: [],
      restrictions: [{ tools: ['read_*'] }],
      expiresAt: rights.expiresAt,
    },
    as: `token:${rights.ids[0]}`,
  });
  assert.deepEqual(await net.bring(tokenText(token)), judged);
  assert.equal(net.book.list()[0]?.outcome, 'token');
});

test('a narrowed token is told from the one it was made from, and known to be of it', async () => {
  await using net = await house();
  const { token } = await net.mint();
  const narrowed = narrowToken(token, { only: { backends: ['fs'] } });
  const [root, own] = narrowed.rights.ids;
  const judged = await net.come(narrowed.token);
  assert.ok('principal' in judged);
  assert.deepEqual([judged.principal.id, judged.principal.name], [`token:${root}/${own}`, 'bob (narrowed)']);
  assert.deepEqual(idsOf(judged.principal.id), [`token:${root}/${own}`, `token:${root}`]);
  assert.deepEqual(idsOf('ziti:a/b'), ['ziti:a/b']);
  assert.ok(isPrincipalId(judged.principal.id));
  await net.book.decide(`token:${root}`, 'denied');
  assert.equal(codeOf(await net.come(narrowed.token)), 'peer_denied', 'who is shut out has no children');
});

test('a bearer works until it is revoked; of its key nothing crosses a link', async () => {
  await using net = await house();
  const { token, rights } = await net.mint();
  const binding = randomBytes(32);
  const access: AccessSource = async () => ({ token: sealed(tokenText(token)) });
  const proof = await shareGuard({ overlay: net.overlay, share: 'box', env: net.env, access, log }).prove(
    bareConnection(binding),
  );
  assert.ok(token.key);
  const sent = JSON.stringify(proof);
  assert.equal(sent.includes(keyPem(token.key).split('\n')[1] ?? ''), false);
  assert.equal(sent.includes(JSON.stringify(token.blocks).slice(1, 20)), true, 'the rest does');
  await net.tokens.revoke(rights.ids[0]);
  assert.equal(codeOf(await net.come(token)), 'access_revoked');
  assert.equal(codeOf(await net.bring(tokenText(token))), 'access_revoked');
});

test('a token that is bound to a key is of no use without it', async () => {
  await using net = await house();
  const key = newKey();
  const { token } = await net.mint({ holder: key });
  assert.equal(codeOf(await net.come(token, keyPem(key))), 'in');
  await assert.rejects(net.come(token), { code: 'access_key_missing' });
  await assert.rejects(net.come(token, keyPem(newKey())), { code: 'access_key_invalid' });
  // By a program that does not ask itself first.
  const stolen = await net.bring(tokenText(token));
  assert.equal(codeOf(stolen), 'access_proof_missing');
  const withOther = { blocks: token.blocks, key: newKey() };
  assert.equal(codeOf(await net.bring(tokenText(withOther))), 'access_cut');
});

test('proofs of a token: by another key, for another connection, twice, on none', async () => {
  await using net = await house();
  const { token } = await net.mint();
  const access: AccessSource = async () => ({ token: sealed(tokenText(token)) });
  const guard = shareGuard({ overlay: net.overlay, share: 'box', env: net.env, access, log });
  const [one, two] = [randomBytes(32), randomBytes(32)];
  const proof = (await guard.prove(bareConnection(one))) as { access: Record<string, unknown> };
  const judge = async (binding: Buffer | null, changed: Record<string, unknown> = {}) =>
    codeOf(await net.gate.judge(bareConnection(binding), { access: { ...proof.access, ...changed } }));
  assert.equal(await judge(two), 'access_proof_binding');
  assert.equal(await judge(one), 'in');
  assert.equal(await judge(two), 'access_proof_replayed');
  assert.equal(await judge(null), 'proof_unbound');
  assert.equal(await judge(one, { signature: 'AAAA' }), 'access_proof_wrong');
  assert.equal(await judge(one, { blocks: (await net.mint()).token.blocks }), 'access_proof_wrong');
  assert.equal(await judge(one, { binding: 'AAAA' }), 'access_malformed');
  const elsewhere = shareGuard({ overlay: net.overlay, share: 'other', env: net.env, access, log });
  const theirs = await elsewhere.prove(bareConnection(one));
  assert.equal(codeOf(await net.gate.judge(bareConnection(one), theirs)), 'access_proof_wrong', 'for another share');
});

test('T08: an access proof that another sends again never takes up what it opened: 0 of 10,000', async () => {
  await using net = await house();
  const { token } = await net.mint();
  const access: AccessSource = async () => ({ token: sealed(tokenText(token)) });
  const guard = shareGuard({ overlay: net.overlay, share: 'box', env: net.env, access, log });
  const proof = await guard.prove(bareConnection(randomBytes(32)));
  let taken = 0;
  for (let round = 0; round < 10_000; round += 1) {
    if (codeOf(await net.gate.judge(bareConnection(), proof)) === 'in') taken += 1;
  }
  assert.equal(taken, 0);
});

test('what is no token is refused as that, and never taken for no token', async () => {
  await using net = await house({ gate: { grants: grantsOf(['network', 'unproven']) } });
  for (const offer of [null, 7, 'x', [], {}, { bearer: 1 }, { blocks: [] }, { bearer: 'mcpa1_' }]) {
    assert.equal(
      codeOf(await net.gate.judge(bareConnection(), { access: offer })),
      'access_malformed',
      JSON.stringify(offer),
    );
  }
  assert.equal(codeOf(await net.bring('a.b.c')), 'jwt_issuer');
  const never = await house();
  await using _ = never;
  const { token } = await net.mint();
  assert.equal(codeOf(await never.bring(tokenText(token))), 'access_foreign', 'a gateway that has made none');
});

test('a token of another gateway, of another share, over, too early', async () => {
  let now = Date.now();
  await using net = await house({ now: () => now });
  assert.equal(codeOf(await net.come((await net.mint({ signer: newKey() })).token)), 'access_foreign');
  assert.equal(codeOf(await net.come((await net.mint({ share: 'other' })).token)), 'access_elsewhere');
  assert.equal(codeOf(await net.come((await net.mint({ network: 'ziti' })).token)), 'access_elsewhere');
  const { token } = await net.mint({ until: now + HOUR });
  assert.equal(codeOf(await net.come(token)), 'in');
  now += HOUR + 1000;
  assert.equal(codeOf(await net.come(token)), 'access_expired');
  now -= 2 * HOUR;
  assert.equal(codeOf(await net.come(token)), 'access_not_yet_valid');
});

test('a token with roles needs rules that know them', async () => {
  await using net = await house();
  const { token } = await net.mint({ roles: ['reader'] });
  assert.equal(codeOf(await net.come(token)), 'access_roles_unknown');
  const narrowed = narrowToken((await net.mint()).token, { only: { roles: ['reader'] } });
  assert.equal(codeOf(await net.come(narrowed.token)), 'access_roles_unknown');
  await using ruled = await house({ rules: true });
  const judged = await ruled.come((await ruled.mint({ roles: ['reader'] })).token);
  assert.deepEqual('principal' in judged && judged.principal.roles, ['reader']);
});

test('a host without tokens says so; an announced bearer is asked for by one that has them', async () => {
  await using net = await house({ gate: { access: undefined } });
  assert.equal(codeOf(await net.gate.judge(bareConnection(), { access: 'bearer' })), 'access_not_taken');
  assert.equal(codeOf(await net.gate.judge(bareConnection(), { access: { blocks: [] } })), 'access_not_taken');
  await using other = await house();
  assert.equal(codeOf(await other.gate.judge(bareConnection(), { access: 'bearer' })), 'asks');
});

test('the dialer: a host that took no token is left, and a JWT goes only to a host that proved itself', async () => {
  await using net = await house({ kind: 'ziti', trust: ca, identity: host });
  const jwt: AccessSource = async () => ({ token: sealed('e30.e30.c2ln') });
  const guard = shareGuard({ overlay: net.overlay, share: 'box', env: net.env, access: jwt, log });
  const binding = randomBytes(32);
  assert.deepEqual(await guard.prove(bareConnection(binding)), { access: 'bearer' });
  const theirs = await net.gate.prove(bareConnection(binding));
  await assert.rejects(guard.verify(bareConnection(binding), theirs, undefined), { code: 'access_ignored' });
  await guard.verify(bareConnection(binding), theirs, 'jwt:https://idp#bob');
  await assert.rejects(guard.plain(), { code: 'host_downgraded' });
  await using fresh = await house({ kind: 'ziti', trust: ca, identity: host });
  const unknown = shareGuard({ overlay: fresh.overlay, share: 'box', env: fresh.env, access: jwt, log });
  await assert.rejects(unknown.plain(), { code: 'access_ignored' }, 'HTTP has no tokens that could be proven');
  assert.ok(unknown.tell && guard.tell);
  await assert.rejects(unknown.tell(bareConnection(), null), { code: 'access_host_unproven' });
  assert.deepEqual(await guard.tell(bareConnection(binding), theirs), { access: { bearer: 'e30.e30.c2ln' } });
  await assert.rejects(guard.tell(bareConnection(randomBytes(32)), theirs), { code: 'proof_binding' });
  await using local = await house();
  const here = shareGuard({ overlay: local.overlay, share: 'box', env: local.env, access: jwt, log });
  assert.ok(await here.tell?.(bareConnection(), null), 'the folder is the proof');
  const plain = shareGuard({ overlay: net.overlay, share: 'box', env: net.env, log });
  assert.equal(plain.tell, undefined);
});

/** Resolves with why it was sent away; rejects after a while. */
function sentAway(net: Awaited<ReturnType<typeof house>>, judged: GateJudgement): Promise<GateRefusal> {
  assert.ok('principal' in judged);
  return new Promise((resolve, reject) => {
    const tooLate = setTimeout(() => reject(new Error('still in after a second')), 1000);
    net.gate.watch(judged.principal, (why) => {
      clearTimeout(tooLate);
      resolve(why);
    });
  });
}

test('whoever is in is out within a second: revoked, a parent revoked, over, another key', async () => {
  let now = Date.now();
  await using net = await house({ now: () => now });
  const parent = await net.mint();
  const child = narrowToken(parent.token, {});
  const other = await net.mint();
  const [one, two, three] = [await net.come(parent.token), await net.come(child.token), await net.come(other.token)];
  const out = [sentAway(net, one), sentAway(net, two)];
  const stays = sentAway(net, three);
  stays.catch(() => {});
  await net.tokens.revoke(parent.rights.ids[0]);
  assert.deepEqual(
    (await Promise.all(out)).map(({ code }) => code),
    ['access_revoked', 'access_revoked'],
  );
  await assert.rejects(stays, /still in/);
  const late = sentAway(net, await net.come(other.token));
  now += 2 * HOUR;
  assert.equal((await late).code, 'access_expired');
});

test('revoked by a command of another process: seen in the file', async () => {
  await using net = await house();
  const { token, rights } = await net.mint();
  const out = sentAway(net, await net.come(token));
  const beside = await openTokenBook({ share: 'box', env: net.env });
  await beside.revoke(rights.ids[0]);
  assert.equal((await out).code, 'access_revoked');
});

test('T37: a clock that jumps ends a token early and never late', async () => {
  let now = Date.now();
  await using net = await house({ now: () => now });
  const { token } = await net.mint({ until: now + HOUR });
  const jumped = sentAway(net, await net.come(token));
  now += 25 * HOUR;
  assert.equal((await jumped).code, 'access_expired');
  now -= 25 * HOUR;
  const back = await net.come(token);
  assert.equal(codeOf(back), 'in', 'set right again, it is good as before');
  const out = sentAway(net, back);
  now -= 2 * HOUR;
  assert.equal((await out).code, 'access_not_yet_valid', 'a clock that was set back gives nobody more time');
});

test('whoever came again is judged by what he came with then', async () => {
  await using net = await house();
  const [one, two] = [await net.mint(), await net.mint()];
  const [first, again] = [await net.come(one.token), await net.come(two.token)];
  assert.ok('principal' in first && 'principal' in again);
  const stays = sentAway(net, first);
  stays.catch(() => {});
  net.gate.renew(first.principal, again.principal);
  await net.tokens.revoke(one.rights.ids[0]);
  await assert.rejects(stays, /still in/);
  const out = sentAway(net, first);
  await net.tokens.revoke(two.rights.ids[0]);
  assert.equal((await out).code, 'access_revoked');
});

test('a caller without a proof has no name of his own: granted, allowed or in a book, a claim is matched with nothing', async () => {
  const token = `token:${'a'.repeat(24)}`;
  await using net = await house({
    kind: 'ziti',
    trust: ca,
    identity: host,
    gate: { grants: grantsOf([token, 'network']) },
  });
  await net.book.decide(token, 'allowed');
  for (const claimed of [token, 'gateway', 'owner', 'ziti:gateway']) {
    const judged = await net.gate.judge(bareConnection(randomBytes(32), claimed), null);
    assert.equal(codeOf(judged), 'peer_unproven', claimed);
  }
});
