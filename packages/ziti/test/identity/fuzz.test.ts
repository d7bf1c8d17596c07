import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { controllerUrl } from '../../src/controller-url.ts';
import { ZITI_ERROR_CODES, ZitiError } from '../../src/errors.ts';
import { parseIdentity } from '../../src/identity.ts';
import { LIMITS } from '../../src/limits.ts';
import { certificatesOf, certificatesPem, pemBlocks, toPem } from '../../src/pem.ts';
import { mutate } from '../../src/testing/mutate.ts';
import { ENROLLMENT } from '../recorded.ts';

const isOurs = (error: unknown): boolean =>
  error instanceof ZitiError && (ZITI_ERROR_CODES as readonly string[]).includes(error.code);

test('a damaged identity file is an identity or an error of ours', (t) => {
  const seeds = [JSON.stringify(ENROLLMENT.identityFile), '{"ztAPI":"a","id":{"key":"file:x","cert":"pem:","ca":7}}'];
  const tally = mutate(
    seeds.map((seed) => Buffer.from(seed)),
    (input) => parseIdentity(input.toString()),
    isOurs,
  );
  t.diagnostic(JSON.stringify(tally));
  assert.ok(tally.refused > 20);
});

test('members of any type are refused or read, never a crash', () => {
  const member = fc.oneof(fc.jsonValue(), fc.constantFrom(...Object.values(ENROLLMENT.identityFile.id)));
  const file = fc.record(
    {
      ztAPI: fc.oneof(fc.jsonValue(), fc.webUrl(), fc.constant(ENROLLMENT.identityFile.ztAPI)),
      ztAPIs: fc.oneof(fc.jsonValue(), fc.array(fc.webUrl())),
      id: fc.oneof(fc.jsonValue(), fc.record({ key: member, cert: member, ca: member }, { requiredKeys: [] })),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(file, (value) => {
      try {
        assert.ok(parseIdentity(JSON.stringify(value)).controllers.length > 0);
      } catch (error) {
        assert.ok(isOurs(error), String(error));
      }
    }),
    { numRuns: 300 },
  );
});

test('PEM of any bytes comes back, alone and among other text', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 300 }),
      fc.constantFrom('', 'subject=CN\r\n', '\n\n'),
      (bytes, noise) => {
        const text = toPem('CERTIFICATE', bytes);
        const blocks = pemBlocks(noise + text + noise + text.replaceAll('\n', '\r\n') + noise);
        assert.deepEqual(blocks, [
          { label: 'CERTIFICATE', text },
          { label: 'CERTIFICATE', text },
        ]);
        const [, ...lines] = text.trimEnd().split('\n');
        assert.deepEqual(Buffer.from(lines.slice(0, -1).join(''), 'base64'), Buffer.from(bytes));
        assert.ok(lines.every((line) => line.length <= 64));
      },
    ),
  );
});

test('PEM is read in one pass: a megabyte of beginnings costs no minutes', () => {
  for (const piece of ['-----BEGIN ', '-----BEGIN A-----', '-----BEGIN A-----\n-----END B-----\n', '-----END A-----']) {
    const text = piece.repeat(Math.floor(LIMITS.identityBytes / piece.length));
    const begin = process.cpuUsage();
    try {
      pemBlocks(text);
    } catch (error) {
      assert.ok(error instanceof Error);
    }
    // What would be read once more for each beginning takes minutes.
    assert.ok(process.cpuUsage(begin).user < 2_000_000, piece);
  }
  const many = toPem('A', Uint8Array.of(1)).repeat(LIMITS.certificates + 1);
  assert.throws(() => pemBlocks(many), /more than/);
  assert.throws(() => pemBlocks('-----BEGIN A\nB-----\n'), /broken line/);
});

test('certificates survive the way through text', () => {
  const pem = ENROLLMENT.serverChain.join('');
  assert.equal(certificatesPem(certificatesOf(pem)), pem);
});

test('an address is https and keeps its meaning, or is none', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.webUrl(), fc.webUrl({ validSchemes: ['https'] })), (text) => {
      const url = controllerUrl(text);
      if (url === undefined) return;
      assert.ok(url.startsWith('https://') && !url.endsWith('/'));
      assert.equal(controllerUrl(url), url);
    }),
  );
  assert.equal(controllerUrl(`https://a/${'/'.repeat(LIMITS.urlChars)}`), undefined);
});
