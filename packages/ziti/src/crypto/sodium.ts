// The one door to libsodium: WebAssembly by `libsodium-wrappers`, or `sodium-native` where somebody installed it and it proves
// itself against known bytes. Both give the same results; the native one costs a third of the CPU.
// The stream states of the WebAssembly build live in its own memory, which nothing but `free` gives back.

import type { StateAddress } from 'libsodium-wrappers';
import { ZitiError } from '../errors.ts';
import { nativeSodium } from './sodium-native.ts';

export const PUBLIC_KEY_BYTES = 32;
/** Before the first message of a direction. */
export const STREAM_HEADER_BYTES = 24;
/** A sealed message is this much longer: an encrypted tag and a MAC. */
export const SEAL_BYTES = 17;

export interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

/** Keys of the two directions as one end sees them. */
export interface SessionKeys {
  readonly rx: Uint8Array;
  readonly tx: Uint8Array;
}

/** A libsodium, its functions as we need them. Lengths are checked by the callers. `S` is a stream's state. */
export interface Sodium<S = unknown> {
  readonly kind: 'wasm' | 'native';
  keyPair(): KeyPair;
  /** Undefined: the peer's key is one of those that give no secret. */
  clientKeys(own: KeyPair, peer: Uint8Array): SessionKeys | undefined;
  serverKeys(own: KeyPair, peer: Uint8Array): SessionKeys | undefined;
  initPush(key: Uint8Array): { readonly state: S; readonly header: Uint8Array };
  initPull(header: Uint8Array, key: Uint8Array): S;
  push(state: S, plain: Uint8Array): Buffer;
  /** Undefined: not what the peer sealed next. */
  pull(state: S, sealed: Uint8Array): Buffer | undefined;
  free(state: S): void;
}

export interface SodiumOptions {
  /** auto: native where it is installed and right. Default 'auto'. */
  readonly native?: 'auto' | 'never' | 'always';
}

/** Loaded when it is asked for: three quarters of this package's code are its WebAssembly, which a login does not need. */
type Wasm = typeof import('libsodium-wrappers').default;

/** Ready to use. Rejects with `crypto_unavailable`. */
export async function loadSodium(options: SodiumOptions = {}): Promise<Sodium> {
  const { native = 'auto' } = options;
  const fast = native === 'never' ? undefined : await nativeSodium();
  if (fast) return fast;
  if (native === 'always') throw new ZitiError('crypto_unavailable', 'sodium-native is not installed or does not work');
  try {
    const { default: wasm } = await import('libsodium-wrappers');
    await wasm.ready;
    return wasmSodium(wasm);
  } catch (cause) {
    throw new ZitiError('crypto_unavailable', 'libsodium could not be started', {
      hint: 'this program needs WebAssembly: do not run Node with --jitless',
      cause,
    });
  }
}

function wasmSodium(wasm: Wasm): Sodium<StateAddress> {
  // The state is an address in the memory of the module; the wrapper has no function for giving it back.
  const { libsodium } = wasm as unknown as { libsodium: { _free(state: StateAddress): void } };
  return {
    kind: 'wasm',
    keyPair() {
      const { publicKey, privateKey } = wasm.crypto_kx_keypair();
      return { publicKey, secretKey: privateKey };
    },
    clientKeys: (own, peer) => keysOrNone(() => wasm.crypto_kx_client_session_keys(own.publicKey, own.secretKey, peer)),
    serverKeys: (own, peer) => keysOrNone(() => wasm.crypto_kx_server_session_keys(own.publicKey, own.secretKey, peer)),
    initPush: (key) => wasm.crypto_secretstream_xchacha20poly1305_init_push(key),
    initPull: (header, key) => wasm.crypto_secretstream_xchacha20poly1305_init_pull(header, key),
    push: (state, plain) => asBuffer(wasm.crypto_secretstream_xchacha20poly1305_push(state, plain, null, 0)),
    pull(state, sealed) {
      const opened = wasm.crypto_secretstream_xchacha20poly1305_pull(state, sealed, null);
      return opened ? asBuffer(opened.message) : undefined;
    },
    free: (state) => libsodium._free(state),
  };
}

/** The wrapper throws what libsodium returns as an error. */
function keysOrNone(derive: () => { sharedRx: Uint8Array; sharedTx: Uint8Array }): SessionKeys | undefined {
  try {
    const { sharedRx, sharedTx } = derive();
    return { rx: sharedRx, tx: sharedTx };
  } catch {
    return undefined;
  }
}

/** What the wrapper returns is a copy of its own: no second one is needed. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
