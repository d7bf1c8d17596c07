// `sodium-native`, if it is installed: never a dependency, never trusted unseen. Versions differ in their calling conventions
// (4 takes the tag as a buffer, 5 as a number, and given the wrong one it seals wrongly without a word), so it must produce
// known bytes before it is used.

import type { KeyPair, SessionKeys, Sodium } from './sodium.ts';

type Fill = (...args: (Uint8Array | number | null)[]) => unknown;

interface Native {
  readonly crypto_kx_keypair: Fill;
  readonly crypto_kx_client_session_keys: Fill;
  readonly crypto_kx_server_session_keys: Fill;
  readonly crypto_secretstream_xchacha20poly1305_STATEBYTES: number;
  readonly crypto_secretstream_xchacha20poly1305_init_push: Fill;
  readonly crypto_secretstream_xchacha20poly1305_init_pull: Fill;
  readonly crypto_secretstream_xchacha20poly1305_push: Fill;
  readonly crypto_secretstream_xchacha20poly1305_pull: Fill;
}

/** In a variable, so that no bundler and no type checker looks for it. */
const PACKAGE: string = 'sodium-native';

/** Undefined when it is missing, cannot be loaded here, or is wrong. */
export async function nativeSodium(load = () => import(PACKAGE)): Promise<Sodium | undefined> {
  try {
    const module = (await load()) as { default?: Native } & Native;
    const sodium = wrap(module.default ?? module);
    return isRight(sodium) ? sodium : undefined;
  } catch {
    return undefined;
  }
}

function wrap(native: Native): Sodium<Buffer> {
  const stateBytes = native.crypto_secretstream_xchacha20poly1305_STATEBYTES;
  const keys = (derive: Fill, own: KeyPair, peer: Uint8Array): SessionKeys | undefined => {
    const [rx, tx] = [Buffer.alloc(32), Buffer.alloc(32)];
    try {
      derive(rx, tx, own.publicKey, own.secretKey, peer);
    } catch {
      return undefined;
    }
    return { rx, tx };
  };
  return {
    kind: 'native',
    keyPair() {
      const [publicKey, secretKey] = [Buffer.alloc(32), Buffer.alloc(32)];
      native.crypto_kx_keypair(publicKey, secretKey);
      return { publicKey, secretKey };
    },
    clientKeys: (own, peer) => keys(native.crypto_kx_client_session_keys, own, peer),
    serverKeys: (own, peer) => keys(native.crypto_kx_server_session_keys, own, peer),
    initPush(key) {
      const [state, header] = [Buffer.alloc(stateBytes), Buffer.alloc(24)];
      native.crypto_secretstream_xchacha20poly1305_init_push(state, header, key);
      return { state, header };
    },
    initPull(header, key) {
      const state = Buffer.alloc(stateBytes);
      native.crypto_secretstream_xchacha20poly1305_init_pull(state, header, key);
      return state;
    },
    push(state, plain) {
      const sealed = Buffer.allocUnsafeSlow(plain.length + 17);
      native.crypto_secretstream_xchacha20poly1305_push(state, sealed, plain, null, 0);
      return sealed;
    },
    pull(state, sealed) {
      const plain = Buffer.allocUnsafeSlow(sealed.length - 17);
      try {
        native.crypto_secretstream_xchacha20poly1305_pull(state, plain, Buffer.alloc(1), sealed, null);
      } catch {
        return undefined;
      }
      return plain;
    },
    free: (state) => void state.fill(0),
  };
}

/** A stream made with libsodium 1.0.22: keys, header, two messages. */
const KNOWN = {
  own: 'ab2fca32898322c208fb2dab5048bd43c355c6430f588897cb574961cfa9806f',
  secret: 'f40ceaf86e5776923332b8d8fd3bef849cadb19c6996bc272af1f648d9566a4c',
  peer: 'fc3b339367a5225d53a92d380323afd035d7817b6d1be47d946f6b09a9cbdc06',
  rx: 'e0f480d42cd0d8a95993dd50976fb24ef81a6788b7b5bc722fc258410ac723ed',
  tx: '43eb74c847209a3af513e0fc824b791865665dcc727fc332f4ddfc614e0ab79a',
  header: 'bee5cc143435dc3cb9b001e7f476d25df7acfe419500e37f',
  messages: [
    ['hello', '891a7b7c36cc2f39f0a9f0d5c9b262bcff980c338d93'],
    ['world!', 'e0c4795db7390b7af67cf614be9a846dd13f95f467186b'],
  ],
} as const;

function isRight(sodium: Sodium): boolean {
  const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');
  const keys = sodium.clientKeys({ publicKey: bytes(KNOWN.own), secretKey: bytes(KNOWN.secret) }, bytes(KNOWN.peer));
  if (!keys || !bytes(KNOWN.rx).equals(keys.rx) || !bytes(KNOWN.tx).equals(keys.tx)) return false;
  // A state is the same for both directions, so the one for reading can seal the known bytes again.
  const seal = sodium.initPull(bytes(KNOWN.header), keys.tx);
  const open = sodium.initPull(bytes(KNOWN.header), keys.tx);
  return KNOWN.messages.every(
    ([plain, sealed]) =>
      sodium.push(seal, Buffer.from(plain)).equals(bytes(sealed)) &&
      sodium.pull(open, bytes(sealed))?.toString() === plain,
  );
}
