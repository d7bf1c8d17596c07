import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import wasm from 'libsodium-wrappers';
import { PullStream, PushStream } from '../../src/crypto/secret-stream.ts';
import { loadSodium, type Sodium } from '../../src/crypto/sodium.ts';
import { nativeSodium } from '../../src/crypto/sodium-native.ts';
import { nativeShape } from './support.ts';

await wasm.ready;

test('without sodium-native the WebAssembly one is used, and nothing is required', async () => {
  assert.equal((await loadSodium({ native: 'never' })).kind, 'wasm');
  const missing = async () => {
    throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
  };
  assert.equal(await nativeSodium(missing), undefined);
});

test('asking for sodium-native where there is none is an error', async (t) => {
  if (await nativeSodium()) return t.skip('sodium-native is installed here');
  await assert.rejects(loadSodium({ native: 'always' }), { code: 'crypto_unavailable' });
});

test('a module that is right is used, with or without a default export', async () => {
  assert.equal((await nativeSodium(async () => nativeShape()))?.kind, 'native');
  assert.equal((await nativeSodium(async () => ({ default: nativeShape() })))?.kind, 'native');
});

test('a module that is wrong in any function is not used', async () => {
  const right = nativeShape();
  const lies: Record<string, (...args: never[]) => unknown> = {
    crypto_kx_client_session_keys: (rx: Uint8Array) => rx.fill(1),
    crypto_secretstream_xchacha20poly1305_init_pull: () => {},
    // As version 4 does when it is given a number for the tag.
    crypto_secretstream_xchacha20poly1305_push(...[state, out, plain, ad]: [Uint8Array, Uint8Array, Uint8Array, null]) {
      right.crypto_secretstream_xchacha20poly1305_push(state, out, plain, ad, 1);
    },
    crypto_secretstream_xchacha20poly1305_pull: (_state: Uint8Array, out: Uint8Array) => out.fill(0x20),
  };
  for (const [name, lie] of Object.entries(lies)) {
    assert.equal(await nativeSodium(async () => ({ ...right, [name]: lie })), undefined, name);
    assert.equal(await nativeSodium(async () => ({ ...right, [name]: undefined })), undefined, name);
  }
});

test('streams that are ended give their memory back', async () => {
  const sodium = await loadSodium({ native: 'never' });
  const addresses = new Set<unknown>();
  const watched: Sodium = {
    ...sodium,
    initPush(key) {
      const made = sodium.initPush(key);
      addresses.add(made.state);
      return made;
    },
    initPull(header, key) {
      const state = sodium.initPull(header, key);
      addresses.add(state);
      return state;
    },
  };
  for (let count = 0; count < 1000; count += 1) {
    const key = randomBytes(32);
    const push = new PushStream(watched, key);
    const pull = new PullStream(watched, key, push.header);
    const sealed = push.push(Buffer.from('x'));
    sealed[0] = (sealed[0] ?? 0) ^ (count & 1);
    try {
      pull.pull(sealed);
    } catch {
      // Every second one ends by a failure.
    }
    push.dispose();
    pull.dispose();
  }
  // The allocator hands the same places out again; unfreed there would be 2000.
  assert.ok(addresses.size < 20, `${addresses.size} places`);
});
