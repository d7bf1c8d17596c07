// Known keys and streams, and the libsodiums that can be had here.

import { readFileSync } from 'node:fs';
import wasm from 'libsodium-wrappers';
import { loadSodium, type Sodium } from '../../src/crypto/sodium.ts';
import { nativeSodium } from '../../src/crypto/sodium-native.ts';

export interface KnownStream {
  readonly key: string;
  readonly header: string;
  readonly frames: readonly { readonly plain: string; readonly body: string }[];
}

/** Recorded between real SDKs and a real router, see crypto-vectors.json. */
export interface KnownConnection {
  readonly from: string;
  readonly role: 'dialer' | 'host';
  readonly ownPublic: string;
  readonly ownPrivate: string;
  readonly peerPublic: string;
  readonly rx: string;
  readonly tx: string;
  readonly receive: KnownStream;
  readonly send: KnownStream;
}

export const RECORDED: readonly KnownConnection[] = JSON.parse(
  readFileSync(new URL('../fixtures/crypto-vectors.json', import.meta.url), 'utf8'),
);

/** Made with libsodium from the seeds 32 × 01 and 32 × 02. */
export const SEEDED = {
  dialer: {
    publicKey: 'ab2fca32898322c208fb2dab5048bd43c355c6430f588897cb574961cfa9806f',
    secretKey: 'f40ceaf86e5776923332b8d8fd3bef849cadb19c6996bc272af1f648d9566a4c',
  },
  host: {
    publicKey: 'fc3b339367a5225d53a92d380323afd035d7817b6d1be47d946f6b09a9cbdc06',
    secretKey: 'd9818087de7244abc1b5fcf28e55e42c7ff9c678c0605181f37ac5d7414a7b95',
  },
  hostToDialer: 'e0f480d42cd0d8a95993dd50976fb24ef81a6788b7b5bc722fc258410ac723ed',
  dialerToHost: '43eb74c847209a3af513e0fc824b791865665dcc727fc332f4ddfc614e0ab79a',
  header: 'bee5cc143435dc3cb9b001e7f476d25df7acfe419500e37f',
  messages: [
    ['hello', '891a7b7c36cc2f39f0a9f0d5c9b262bcff980c338d93'],
    ['world!', 'e0c4795db7390b7af67cf614be9a846dd13f95f467186b'],
  ],
} as const;

export const hex = (text: string): Buffer => Buffer.from(text, 'hex');

/** `wasm`, and `native`: the package where it is installed, else its calling conventions over the WebAssembly one. */
export async function sodiums(): Promise<Sodium[]> {
  const portable = await loadSodium({ native: 'never' });
  const native = (await nativeSodium()) ?? (await nativeSodium(async () => nativeShape()));
  if (!native) throw new Error('the stand-in for sodium-native was not accepted');
  return [portable, native];
}

/** sodium-native 5 as far as we call it: results go into buffers of the caller, errors are thrown. */
// biome-ignore lint/suspicious/noExplicitAny: the shape of a foreign module
export function nativeShape(): any {
  // biome-ignore lint/suspicious/noExplicitAny: its states are opaque
  const states = new Map<Uint8Array, any>();
  return {
    crypto_secretstream_xchacha20poly1305_STATEBYTES: 52,
    crypto_kx_keypair(publicKey: Uint8Array, secretKey: Uint8Array) {
      const pair = wasm.crypto_kx_keypair();
      publicKey.set(pair.publicKey);
      secretKey.set(pair.privateKey);
    },
    crypto_kx_client_session_keys(rx: Uint8Array, tx: Uint8Array, pk: Uint8Array, sk: Uint8Array, peer: Uint8Array) {
      const keys = wasm.crypto_kx_client_session_keys(pk, sk, peer);
      rx.set(keys.sharedRx);
      tx.set(keys.sharedTx);
    },
    crypto_kx_server_session_keys(rx: Uint8Array, tx: Uint8Array, pk: Uint8Array, sk: Uint8Array, peer: Uint8Array) {
      const keys = wasm.crypto_kx_server_session_keys(pk, sk, peer);
      rx.set(keys.sharedRx);
      tx.set(keys.sharedTx);
    },
    crypto_secretstream_xchacha20poly1305_init_push(state: Uint8Array, header: Uint8Array, key: Uint8Array) {
      const made = wasm.crypto_secretstream_xchacha20poly1305_init_push(key);
      header.set(made.header);
      states.set(state, made.state);
    },
    crypto_secretstream_xchacha20poly1305_init_pull(state: Uint8Array, header: Uint8Array, key: Uint8Array) {
      states.set(state, wasm.crypto_secretstream_xchacha20poly1305_init_pull(header, key));
    },
    crypto_secretstream_xchacha20poly1305_push(
      state: Uint8Array,
      out: Uint8Array,
      plain: Uint8Array,
      ad: null,
      tag: number,
    ) {
      out.set(wasm.crypto_secretstream_xchacha20poly1305_push(states.get(state), plain, ad, tag));
    },
    crypto_secretstream_xchacha20poly1305_pull(
      state: Uint8Array,
      out: Uint8Array,
      tag: Uint8Array,
      sealed: Uint8Array,
      ad: null,
    ) {
      const opened = wasm.crypto_secretstream_xchacha20poly1305_pull(states.get(state), sealed, ad);
      if (!opened) throw new Error('could not verify data');
      out.set(opened.message);
      tag[0] = opened.tag;
    },
  };
}
