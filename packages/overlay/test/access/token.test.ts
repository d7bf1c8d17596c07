// The chain of blocks: what each attack on it is answered with.

import assert from 'node:assert/strict';
import type { KeyObject } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { type SealedBlock, sealBlock } from '../../src/access/block.ts';
import { newKey } from '../../src/access/keys.ts';
import {
  type Minted,
  type MintOptions,
  mintToken,
  type NarrowOptions,
  narrowToken,
  signerOf,
} from '../../src/access/mint.ts';
import { checkRights, rightsOf } from '../../src/access/rights.ts';
import { type AccessToken, readToken, tokenText } from '../../src/access/token.ts';

const gateway = newKey();
const NOW = Date.parse('2026-11-27T12:00:00Z');
const HOUR = 3_600_000;

function minted(more: Partial<MintOptions> = {}): Minted {
  const usual = { signer: gateway, network: 'local', share: 'box', name: 'bob', from: NOW, until: NOW + 8 * HOUR };
  return mintToken({ ...usual, ...more });
}

function narrowed(token: AccessToken, options: NarrowOptions): AccessToken {
  return narrowToken(token, options).token;
}

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'fine';
  } catch (error) {
    return String((error as { code?: unknown }).code ?? error);
  }
}

const judged = (blocks: readonly SealedBlock[]): string => codeOf(() => rightsOf(blocks, { gateway }));

function check(token: AccessToken, more: Partial<Parameters<typeof checkRights>[1]> = {}): string {
  const rights = rightsOf(token.blocks, { gateway });
  return codeOf(() => checkRights(rights, { network: 'local', share: 'box', now: NOW, revoked: () => false, ...more }));
}

test('a token crosses as one line, and says what it was made with', () => {
  const { token } = minted({ roles: ['reader'], only: { tools: ['read_*'] } });
  const text = tokenText(token);
  assert.match(text, /^mcpa1_[A-Za-z0-9_-]+$/);
  const read = readToken(text);
  const rights = rightsOf(read.blocks, { gateway });
  assert.deepEqual(
    [rights.name, rights.roles, rights.restrictions, rights.share, rights.network],
    ['bob', ['reader'], [{ tools: ['read_*'] }], 'box', 'local'],
  );
  assert.equal(rights.expiresAt, NOW + 8 * HOUR);
  assert.match(rights.ids[0], /^[0-9a-f]{24}$/);
  assert.notEqual(minted().rights.ids[0], minted().rights.ids[0], 'two of the same words are two');
  assert.equal(read.key && tokenText({ blocks: read.blocks, key: read.key }), text);
});

test('narrowing adds restrictions, takes the earlier end, and keeps the ids of all it was made from', () => {
  const { token, rights } = minted({ roles: ['reader', 'writer'] });
  const once = narrowToken(token, { only: { tools: ['read_*'], roles: ['reader'] }, until: NOW + HOUR });
  const twice = narrowToken(once.token, { only: { backends: ['fs'] }, until: NOW + 5 * HOUR });
  assert.deepEqual(twice.rights.restrictions, [{ tools: ['read_*'], roles: ['reader'] }, { backends: ['fs'] }]);
  assert.equal(twice.rights.expiresAt, NOW + HOUR);
  assert.deepEqual(twice.rights.ids.slice(0, 2), once.rights.ids);
  assert.equal(twice.rights.ids[0], rights.ids[0]);
  assert.equal(twice.rights.ids.length, 3);
  assert.equal(judged(twice.token.blocks), 'fine');
});

test('a block of another key, at the front and further on', () => {
  const thief = newKey();
  assert.equal(judged(minted({ signer: thief }).token.blocks), 'access_foreign');
  const { token, rights } = minted();
  const forged = sealBlock({ at: 1, key: thief }, rights.hash, thief);
  assert.equal(judged([...token.blocks, forged]), 'access_signature');
});

test('a thief cannot hand a token that is bound to a key to his own', () => {
  const holder = newKey();
  const { token } = minted({ holder });
  assert.equal(token.key, undefined, 'nothing travels that could sign');
  assert.equal(
    codeOf(() => narrowToken(token, { only: {} })),
    'access_key_missing',
  );
  assert.equal(
    codeOf(() => narrowToken(token, { next: { holder: newKey() }, key: newKey() })),
    'access_key_invalid',
  );
  const next = newKey();
  const handed = narrowed(token, { key: holder, next: { holder: next } });
  assert.equal(judged(handed.blocks), 'fine');
  assert.equal(
    codeOf(() => narrowToken(handed, { key: holder })),
    'access_key_invalid',
    'it is not his any more',
  );
  assert.equal(judged(narrowed(handed, { key: next }).blocks), 'fine');
  const loose = narrowed(handed, { key: next, next: 'bearer' });
  assert.ok(loose.key, 'a holder may let it go');
  assert.equal(narrowed(handed, { key: next }).key, undefined, 'and else it stays his');
});

test('blocks that were cut off, taken out, moved or doubled', () => {
  const one = minted().token;
  const two = narrowed(one, { only: { tools: ['a'] } });
  const three = narrowed(two, { only: { tools: ['b'] } });
  const [a, b, c] = three.blocks;
  assert.ok(a && b && c);
  const cut = { blocks: [a, b], ...(three.key && { key: three.key }) };
  assert.equal(
    codeOf(() => signerOf(cut, rightsOf(cut.blocks, { gateway }), undefined)),
    'access_cut',
  );
  assert.equal(judged([a, c]), 'access_order');
  assert.equal(judged([a, c, b]), 'access_order');
  assert.equal(judged([b, a]), 'access_order');
  assert.equal(judged([a, b, b]), 'access_order');
  assert.equal(judged([b, c]), 'access_order');
});

test('a block of one token is of no use in another, also where one holder has both', () => {
  const holder = newKey();
  const [mine, other] = [minted({ holder }), minted({ holder, name: 'else' })];
  const handed = narrowed(mine.token, { key: holder, next: 'bearer' });
  const [, block] = handed.blocks;
  assert.ok(block);
  assert.equal(judged([...other.token.blocks, block]), 'access_signature');
});

test('each changed byte of a block refuses it', () => {
  const { blocks } = narrowed(minted().token, { only: { tools: ['read_*'] }, until: NOW });
  for (const [index, [payload, signature]] of blocks.entries()) {
    for (let at = 0; at < payload.length; at += 1) {
      const flipped = payload.slice(0, at) + String.fromCharCode(payload.charCodeAt(at) ^ 1) + payload.slice(at + 1);
      const changed = blocks.map((block, own) => (own === index ? ([flipped, signature] as const) : block));
      assert.notEqual(judged(changed), 'fine', `${index} ${at}`);
    }
  }
});

test('a restriction that this version does not know refuses the token, whoever wrote it', () => {
  const { token, rights } = minted();
  const key = token.key ?? newKey();
  const odd = [
    { at: 1, key, only: { weekdays: ['mon'] } },
    { at: 1, key, only: {}, maxCalls: 3 },
    // What only the gateway says.
    { at: 1, key, roles: ['admin'] },
    { at: 1, key, share: 'other' },
  ];
  for (const block of odd) {
    const sealed = sealBlock(block as never, rights.hash, key);
    assert.equal(judged([...token.blocks, sealed]), 'access_restriction_unknown', JSON.stringify(block));
  }
});

test('where and when: another share, another network, too early, too late, revoked', () => {
  const { token, rights } = minted({ from: NOW });
  assert.equal(check(token), 'fine');
  assert.equal(check(token, { share: 'other' }), 'access_elsewhere');
  assert.equal(check(token, { network: 'ziti' }), 'access_elsewhere');
  assert.equal(check(token, { now: NOW + 8 * HOUR - 1 }), 'fine');
  assert.equal(check(token, { now: NOW + 8 * HOUR }), 'access_expired');
  assert.equal(check(token, { now: NOW - 59_000 }), 'fine', 'clocks differ');
  assert.equal(check(token, { now: NOW - 61_000 }), 'access_not_yet_valid');
  assert.equal(check(token, { revoked: (id) => id === rights.ids[0] }), 'access_revoked');
});

test('revoking a parent revokes its children; revoking a child leaves the parent', () => {
  const parent = minted();
  const child = narrowToken(parent.token, { only: {} });
  const grandchild = narrowToken(child.token, { only: {} });
  const revoked = (id: string): boolean => id === child.rights.ids.at(-1);
  assert.equal(check(parent.token, { revoked }), 'fine');
  assert.equal(check(child.token, { revoked }), 'access_revoked');
  assert.equal(check(grandchild.token, { revoked }), 'access_revoked');
});

test('caps: blocks, bytes, lists, patterns, names', () => {
  let { token } = minted();
  for (let at = 1; at < 16; at += 1) token = narrowed(token, {});
  assert.equal(judged(token.blocks), 'fine');
  assert.equal(
    codeOf(() => narrowToken(token, {})),
    'access_too_long',
  );
  assert.equal(
    codeOf(() => readToken(`mcpa1_${'A'.repeat(20_000)}`)),
    'access_too_large',
  );
  const wide = { tools: Array.from({ length: 64 }, (_, at) => `${at}`.padEnd(256, 'x')) };
  assert.equal(
    codeOf(() => narrowToken(minted().token, { only: wide })),
    'access_too_large',
  );
  assert.equal(
    codeOf(() => minted({ only: { tools: Array(65).fill('a') } })),
    'access_too_large',
  );
  assert.equal(
    codeOf(() => minted({ name: 'x'.repeat(101) })),
    'access_too_large',
  );
  assert.equal(
    codeOf(() => minted({ name: 'a\u001b[2J' })),
    'access_malformed',
  );
});

test('any text is read in no time, or refused with a code, and never quoted', () => {
  const real = tokenText(narrowed(minted().token, { only: { tools: ['a'] } }));
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json().map((json) => `mcpa1_${Buffer.from(json).toString('base64url')}`),
    fc
      .tuple(fc.nat(real.length), fc.nat(real.length), fc.string())
      .map(([a, b, c]) => real.slice(0, a) + c + real.slice(b)),
  );
  fc.assert(
    fc.property(texts, (text) => {
      try {
        const token = readToken(text);
        const rights = rightsOf(token.blocks, { gateway });
        assert.equal(signerOf(token, rights, undefined), token.key);
        assert.equal(tokenText(token), text, 'what is good is what was made');
        assert.equal(text, real);
      } catch (error) {
        const { code, message } = error as { code?: string; message: string };
        assert.match(code ?? String(error), /^access_/);
        if (text.length > 30) assert.equal(message.includes(text.slice(6)), false);
      }
    }),
    { numRuns: 3000 },
  );
});

test('any JSON as a block is judged or refused with a code', () => {
  const keys = ['at', 'from', 'until', 'only', 'key', 'network', 'share', 'name', 'nonce', 'roles', 'x'];
  const payload = fc.dictionary(fc.constantFrom(...keys), fc.jsonValue()).map((value) => JSON.stringify(value));
  fc.assert(
    fc.property(fc.array(fc.oneof(payload, fc.json(), fc.string()), { minLength: 1, maxLength: 3 }), (payloads) => {
      const blocks = payloads.map((one) => [one, 'AAAA'] as const);
      assert.match(judged(blocks), /^access_/);
    }),
  );
});

test('keys in other forms than ours are refused without a word of what was read', async () => {
  const { keyFromPem, keyFromText, keyPem, keyText } = await import('../../src/access/keys.ts');
  const key: KeyObject = newKey();
  assert.equal(keyText(keyFromText(keyText(key))), keyText(key));
  assert.equal(keyText(keyFromPem(keyPem(key), 'f')), keyText(key));
  for (const text of ['', 'mcpk1_', 'mcpk1_AAAA', 'mcpa1_AAAA', keyText(key).slice(0, -1)]) {
    assert.equal(
      codeOf(() => keyFromText(text)),
      'access_key_invalid',
    );
  }
  assert.throws(
    () => keyFromPem('SECRET', 'key.pem'),
    (error: Error & { code: string }) => {
      return error.code === 'access_key_invalid' && !error.message.includes('SECRET');
    },
  );
});
