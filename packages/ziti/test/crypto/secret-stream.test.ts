import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { PullStream, PushStream } from '../../src/crypto/secret-stream.ts';
import type { Sodium } from '../../src/crypto/sodium.ts';
import { LIMITS } from '../../src/limits.ts';
import { hex, RECORDED, SEEDED, sodiums } from './support.ts';

/** Around the borders of blocks (64), MAC padding (16), a frame of ours and of other SDKs. */
const LENGTHS = [
  ...Array.from({ length: 200 }, (_, length) => length),
  255,
  256,
  257,
  1023,
  1024,
  1025,
  4095,
  4096,
  16_383,
  16_384,
  16_385,
  32_767,
  32_768,
  32_769,
  65_535,
  65_536,
  1_048_577,
];

function linked(sodium: Sodium): { push: PushStream; pull: PullStream } & Disposable {
  const key = randomBytes(32);
  const push = new PushStream(sodium, key);
  const pull = new PullStream(sodium, key, push.header);
  return {
    push,
    pull,
    [Symbol.dispose]() {
      push.dispose();
      pull.dispose();
    },
  };
}

const all = await sodiums();

for (const sodium of all) {
  test(`${sodium.kind}: a known stream is opened`, () => {
    const pull = new PullStream(sodium, hex(SEEDED.dialerToHost), hex(SEEDED.header));
    for (const [plain, sealed] of SEEDED.messages) assert.equal(pull.pull(hex(sealed)).toString(), plain);
    pull.dispose();
  });

  test(`${sodium.kind}: recorded streams of Go and C peers are opened, and sealed again to the same bytes`, () => {
    for (const { from, receive, send } of RECORDED) {
      for (const known of [receive, send]) {
        const pull = new PullStream(sodium, hex(known.key), hex(known.header));
        // The state of a reader can seal: header and key decide everything.
        const state = sodium.initPull(hex(known.header), hex(known.key));
        for (const { plain, body } of known.frames) {
          assert.equal(pull.pull(hex(body)).toString('hex'), plain, from);
          assert.equal(sodium.push(state, hex(plain)).toString('hex'), body, from);
        }
        sodium.free(state);
        pull.dispose();
      }
    }
  });

  test(`${sodium.kind}: what is sealed is opened, at every length`, () => {
    using ends = linked(sodium);
    assert.equal(ends.push.header.length, 24);
    for (const length of LENGTHS) {
      const plain = randomBytes(length);
      const sealed = ends.push.push(plain);
      assert.equal(sealed.length, length + 17);
      assert.ok(ends.pull.pull(sealed).equals(plain), `${length} bytes`);
    }
  });

  test(`${sodium.kind}: a flipped bit anywhere is refused, and ends the stream`, () => {
    for (const length of [0, 1, 15, 16, 33]) {
      for (let bit = 0; bit < (length + 17) * 8; bit += 1) {
        using ends = linked(sodium);
        const sealed = ends.push.push(Buffer.alloc(length, 0x5a));
        const flipped = Buffer.from(sealed);
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        assert.throws(() => ends.pull.pull(flipped), { code: 'crypto_message_invalid' });
        assert.throws(() => ends.pull.pull(sealed), { code: 'crypto_stream_closed' });
      }
    }
  });

  test(`${sodium.kind}: a flipped bit in the header makes the first message unreadable`, () => {
    const key = randomBytes(32);
    const push = new PushStream(sodium, key);
    const sealed = push.push(Buffer.from('x'));
    for (let bit = 0; bit < 24 * 8; bit += 1) {
      const header = Buffer.from(push.header);
      header[bit >> 3] = (header[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.throws(() => new PullStream(sodium, key, header).pull(sealed), { code: 'crypto_message_invalid' });
    }
    push.dispose();
  });

  test(`${sodium.kind}: messages are opened in order, once, and none is skipped`, () => {
    const wrong = [[1], [2], [0, 0], [0, 2], [0, 1, 1], [0, 1, 0]];
    for (const order of wrong) {
      using ends = linked(sodium);
      const sealed = ['a', 'b', 'c'].map((text) => ends.push.push(Buffer.from(text)));
      const last = order.pop() ?? 0;
      for (const index of order) ends.pull.pull(sealed[index] ?? Buffer.alloc(0));
      assert.throws(() => ends.pull.pull(sealed[last] ?? Buffer.alloc(0)), { code: 'crypto_message_invalid' });
    }
  });

  test(`${sodium.kind}: the other direction's key and a cut message are refused`, () => {
    const push = new PushStream(sodium, randomBytes(32));
    const sealed = push.push(Buffer.from('some text'));
    assert.throws(() => new PullStream(sodium, randomBytes(32), push.header).pull(sealed), {
      code: 'crypto_message_invalid',
    });
    for (let length = 0; length < sealed.length; length += 1) {
      using ends = linked(sodium);
      const cut = ends.push.push(Buffer.from('some text')).subarray(0, length);
      assert.throws(() => ends.pull.pull(cut), { code: 'crypto_message_invalid' });
    }
    push.dispose();
  });

  test(`${sodium.kind}: a header of another length is refused`, () => {
    for (const length of [0, 23, 25, 41]) {
      assert.throws(() => new PullStream(sodium, randomBytes(32), Buffer.alloc(length)), {
        code: 'crypto_header_invalid',
      });
    }
  });

  test(`${sodium.kind}: a stream stops before its counter would start again`, () => {
    assert.ok(LIMITS.streamMessages < 2 ** 32);
    const push = new PushStream(sodium, randomBytes(32), 2);
    push.push(Buffer.from('1'));
    push.push(Buffer.from('2'));
    assert.throws(() => push.push(Buffer.from('3')), { code: 'crypto_stream_exhausted' });
    push.dispose();
  });

  test(`${sodium.kind}: after its end a stream does nothing, and may be ended again`, () => {
    const { push, pull } = linked(sodium);
    const sealed = push.push(Buffer.from('x'));
    for (const stream of [push, pull, push, pull]) stream.dispose();
    assert.throws(() => push.push(Buffer.from('x')), { code: 'crypto_stream_closed' });
    assert.throws(() => pull.pull(sealed), { code: 'crypto_stream_closed' });
  });

  test(`${sodium.kind}: two streams with one key have headers of their own`, () => {
    const key = randomBytes(32);
    const [one, two] = [new PushStream(sodium, key), new PushStream(sodium, key)];
    assert.notDeepEqual(one.header, two.header);
    one.dispose();
    two.dispose();
  });
}

test('wasm and native open what the other sealed', () => {
  const [wasm, native] = all;
  assert.ok(wasm && native);
  for (const [from, to] of [
    [wasm, native],
    [native, wasm],
  ] as const) {
    const key = randomBytes(32);
    const push = new PushStream(from, key);
    const pull = new PullStream(to, key, push.header);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (plain) => {
        assert.ok(pull.pull(push.push(plain)).equals(plain));
      }),
    );
    push.dispose();
    pull.dispose();
  }
});
