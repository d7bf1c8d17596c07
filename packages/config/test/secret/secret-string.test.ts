// A secret's value stays where it is, however it is looked at.

import assert from 'node:assert/strict';
import test from 'node:test';
import { format, inspect } from 'node:util';
import { SecretString } from '../../src/index.ts';

const VALUE = 'c4n4ry-9f2e7b1d';

test('no way of turning a secret into text shows it', () => {
  const secret = new SecretString(Buffer.from(VALUE), 'file:/etc/t');
  const shown = [
    String(secret),
    `${secret}`,
    secret.toString(),
    JSON.stringify(secret),
    JSON.stringify({ env: { TOKEN: secret } }),
    inspect(secret),
    inspect({ deep: [{ secret }] }, { depth: 10, showHidden: true }),
    inspect(secret, { customInspect: false, showHidden: true }),
    format('%s %o %O %j', secret, secret, secret, secret),
    JSON.stringify(Object.entries(secret)),
    JSON.stringify(Object.getOwnPropertyDescriptors(secret)),
    String(new Error(`broken: ${secret}`).stack),
  ];
  const hidden = [VALUE, Buffer.from(VALUE).toString('base64'), Buffer.from(VALUE).toString('hex')];
  for (const text of shown) for (const form of hidden) assert.ok(!text.includes(form), text);
  assert.equal(String(secret), '[secret file:/etc/t]');
  assert.equal(JSON.stringify(secret), '"[secret file:/etc/t]"');
});

test('the value is there for use, and a copy of it cannot be made', () => {
  const secret = new SecretString(Buffer.from(VALUE), 'env:T');
  assert.equal(
    secret.use((value) => value.toString()),
    VALUE,
  );
  assert.throws(() => structuredClone(secret).use(() => {}), TypeError);
});
