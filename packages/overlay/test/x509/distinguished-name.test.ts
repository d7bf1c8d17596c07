import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testAuthority, tlv } from '../../src/testing/pki.ts';
import { readCertificate } from '../../src/x509/certificate.ts';
import { distinguishedName } from '../../src/x509/distinguished-name.ts';

const ca = testAuthority('root');

function subject(...parts: (readonly [string, string])[]) {
  return readCertificate(ca.issue('x', { subject: parts }).der, 'it').subject;
}

test('most specific first, with the short names that people know', () => {
  const name = subject(['C', 'DE'], ['O', 'corp'], ['1.2.3.4', 'x'], ['CN', 'alice']);
  assert.equal(name.text, 'CN=alice,1.2.3.4=x,O=corp,C=DE');
  assert.equal(name.commonName, 'alice');
});

test('two common names are none', () => {
  assert.equal(subject(['CN', 'alice'], ['CN', 'bob']).commonName, undefined);
  assert.deepEqual(subject(), { text: '', commonName: undefined });
});

test('what would break out of its part, mislead the eye or steer a terminal is escaped', () => {
  assert.equal(subject(['CN', 'alice,O=corp']).text, 'CN=alice\\,O\\=corp');
  assert.equal(subject(['CN', 'a\\+"b"<c>;']).text, 'CN=a\\\\\\+\\"b\\"\\<c\\>\\;');
  assert.equal(subject(['CN', ' alice ']).text, 'CN=\\20alice\\20');
  assert.equal(subject(['CN', '#alice']).text, 'CN=\\23alice');
  assert.equal(subject(['CN', 'a\nb\u202ec\u200b\0']).text, 'CN=a\\0ab\\e2\\80\\aec\\e2\\80\\8b\\00');
  assert.equal(subject(['CN', 'Zoë 李']).text, 'CN=Zoë 李');
});

test('text that is no UTF-8, and kinds of text that nobody needs, are shown as bytes', () => {
  const name = (tag: number, hex: string) =>
    distinguishedName(
      tlv(
        0x30,
        tlv(0x31, tlv(0x30, Buffer.concat([tlv(6, Buffer.of(0x55, 4, 3)), tlv(tag, Buffer.from(hex, 'hex'))]))),
      ),
    );
  assert.deepEqual(name(0x0c, 'ff'), { text: 'CN=#0c01ff', commonName: undefined });
  assert.deepEqual(name(0x1e, '0061'), { text: 'CN=#1e020061', commonName: undefined });
  assert.equal(name(0x13, '61').commonName, 'a');
  assert.equal(name(0x13, 'e9').commonName, undefined);
});

test('different names never give the same text', () => {
  const part = fc.tuple(fc.constantFrom('CN', 'O', 'OU', 'C'), fc.string({ unit: 'binary', maxLength: 6 }));
  const well = fc
    .array(part, { maxLength: 3 })
    .filter((parts) => parts.every(([, value]) => Buffer.from(value).toString() === value));
  fc.assert(
    fc.property(well, well, (a, b) => {
      const same = JSON.stringify(a) === JSON.stringify(b);
      assert.equal(subject(...a).text === subject(...b).text, same);
    }),
    { numRuns: 300 },
  );
});
