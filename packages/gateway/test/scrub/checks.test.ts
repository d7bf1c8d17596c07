import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkOf } from '../../src/scrub/checks.ts';

/** Numbers of specifications and manuals, each with one that differs in its check digit. */
const PAIRS: Readonly<Record<string, readonly (readonly [good: string, bad: string])[]>> = {
  luhn: [
    ['4111 1111 1111 1111', '4111 1111 1111 1112'],
    ['378282246310005', '378282246310006'],
  ],
  iban: [
    ['DE89 3704 0044 0532 0130 00', 'DE89 3704 0044 0532 0130 01'],
    ['GB82WEST12345698765432', 'GB82WEST12345698765433'],
    ['NO9386011117947', 'NO938601111794'],
  ],
  nino: [['AB123456C', 'GB123456C']],
  ssn: [['536-90-4399', '666-90-4399']],
  steuer_id: [['86095742719', '86095742718']],
  insee: [['255081416802538', '255081416802539']],
  codice_fiscale: [['RSSMRA85T10A562S', 'RSSMRA85T10A562T']],
  dni: [
    ['12345678Z', '12345678A'],
    ['X1234567L', 'X1234567M'],
  ],
  secret: [['q8Zk2LmP0xYt', 'YOUR_SECRET_HERE']],
};

for (const [name, pairs] of Object.entries(PAIRS)) {
  test(`${name}: a right number passes, one changed digit does not`, () => {
    for (const [good, bad] of pairs) {
      assert.equal(checkOf(name)?.(good), true, good);
      assert.equal(checkOf(name)?.(bad), false, bad);
    }
  });
}

test('cards: every single changed digit and every swap of different neighbours but 09 is found', () => {
  const good = '4539578763621486';
  assert.equal(checkOf('luhn')?.(good), true);
  for (let at = 0; at < good.length; at += 1) {
    for (const digit of '0123456789') {
      const changed = good.slice(0, at) + digit + good.slice(at + 1);
      assert.equal(checkOf('luhn')?.(changed), changed === good);
    }
  }
});

test('a name that is no check has none', () => {
  assert.equal(checkOf('toString'), undefined);
});
