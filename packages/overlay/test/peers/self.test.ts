// What a person is told before a share is hosted: who we are not, and words that cannot mean what they say.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { grantsOf } from '../../src/peers/admission.ts';
import { identityNotes, ownIdentity } from '../../src/peers/self.ts';
import { testAuthority } from '../../src/testing/pki.ts';
import { type ProvingOptions, provingOverlay } from '../../src/testing/proving.ts';

const ca = testAuthority('net');
const member = ca.issue('me', { uris: ['spiffe://net/identity/me'] });

function notes(words: readonly string[], more: Partial<ProvingOptions> = {}, hosts: readonly string[] = []) {
  return identityNotes(provingOverlay({ env: {}, ...more }), grantsOf(words), hosts);
}

test('who has nothing to say hears nothing', async () => {
  assert.deepEqual(await notes([]), []);
  const all = { kind: 'zrok', identity: member, trust: ca } as const;
  assert.deepEqual(await notes(['ziti:a', 'network', 'bob@example.com'], all, ['ziti:b']), []);
});

test('each word that cannot count is named', async () => {
  const [nobody] = await notes([], { kind: 'ziti', trust: ca, identity: ca.issue('me') });
  assert.match(nobody ?? '', /^nobody can know who this host is: .*does not vouch for the name/);
  assert.match((await notes(['network'])).join(), /no proof can be checked: name a CA/);
  assert.match((await notes(['ziti:a'])).join(), /no proof can be checked/);
  assert.match((await notes(['bob@example.com'])).join(), /on local they mean nobody/);
  assert.match((await notes(['unproven'], { kind: 'ziti', trust: ca })).join(), /every caller without a proof/);
  assert.deepEqual(await notes(['unproven']), [], 'on local that is the user anyway');
  assert.match((await notes([], { trust: ca }, ['x509:CN=other'])).join(), /share\.hosts says nothing/);
});

test('who we are: what others will see, or why nobody can', async () => {
  const who = (more: Partial<ProvingOptions>) => ownIdentity(provingOverlay({ env: {}, ...more }));
  assert.equal(await who({}), undefined);
  assert.deepEqual(await who({ kind: 'ziti', identity: member, trust: ca }), { id: 'ziti:me', name: 'me' });
  const blind = await who({ identity: member });
  assert.match(blind && 'unproven' in blind ? blind.unproven : '', /--trust FILE names one/);
  const foreign = await who({ identity: testAuthority('x').issue('y'), trust: ca });
  assert.match(foreign && 'unproven' in foreign ? foreign.unproven : '', /leads to no CA that is trusted here/);
});
