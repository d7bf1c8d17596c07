import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Admission,
  type AdmissionFacts,
  admissionOf,
  grantKind,
  grantsOf,
  letsIn,
} from '../../src/peers/admission.ts';
import { isPrincipalId, type Principal } from '../../src/proof/principal.ts';

function principal(id: string, proven: boolean): Principal {
  return { id, name: id, proven, via: 'ziti', groups: [] };
}

const alice = principal('ziti:alice', true);
const nobody = principal('unproven', false);
const owner = principal('owner', false);

function facts(more: Partial<AdmissionFacts> & { words?: string[] } = {}): AdmissionFacts {
  const { words = [], ...rest } = more;
  return { grants: grantsOf(words), owners: new Set(), decision: undefined, ...rest };
}

test('who comes in, and because of what', () => {
  const rows: [Principal, Parameters<typeof facts>[0], Admission][] = [
    [alice, {}, 'unknown'],
    [nobody, {}, 'unknown'],
    [owner, { owners: new Set(['owner']) }, 'owner'],
    [alice, { owners: new Set(['ziti:alice']) }, 'owner'],
    [alice, { decision: 'allowed' }, 'allowed'],
    [alice, { words: ['ziti:alice'] }, 'granted'],
    [alice, { words: ['ziti:bob', 'alice@example.com', 'unproven'] }, 'unknown'],
    [alice, { words: ['network'] }, 'granted'],
    [nobody, { words: ['network', 'ziti:alice'] }, 'unknown'],
    [nobody, { words: ['unproven'] }, 'granted'],
    [alice, { words: ['network', 'ziti:alice'], decision: 'denied', owners: new Set(['ziti:alice']) }, 'denied'],
    [nobody, { words: ['unproven'], decision: 'denied' }, 'denied'],
  ];
  for (const [who, given, expected] of rows)
    assert.equal(admissionOf(who, facts(given)), expected, JSON.stringify(given));
  assert.deepEqual((['owner', 'granted', 'allowed', 'denied', 'unknown'] as const).filter(letsIn), [
    'owner',
    'granted',
    'allowed',
  ]);
});

test('a claim is never matched, whatever it is', () => {
  const claims = { ...nobody, name: 'ziti:alice' };
  assert.equal(admissionOf(claims, facts({ words: ['ziti:alice'], owners: new Set(['ziti:alice']) })), 'unknown');
  // Not even one that is granted by name: without a proof only the grant for the unproven counts.
  assert.equal(admissionOf(principal('ziti:alice', false), facts({ words: ['ziti:alice'] })), 'unknown');
});

test('what a grant names', () => {
  assert.deepEqual(
    [
      'network',
      'unproven',
      'ziti:a',
      'bob@example.com',
      'spiffe://corp/a',
      'x509:CN=a',
      'bob',
      '',
      'ziti:',
      'a@',
      'unprovn',
    ].map(grantKind),
    ['network', 'unproven', 'id', 'account', 'id', 'id', undefined, undefined, undefined, undefined, undefined],
  );
  const grants = grantsOf(['bob@example.com', 'ziti:a', 'network']);
  assert.deepEqual(
    [[...grants.ids], grants.accounts, grants.network, grants.unproven],
    [['ziti:a'], ['bob@example.com'], true, false],
  );
});

test('ids that can be proven, and texts that only look like one', () => {
  for (const id of ['ziti:Ab3dE.f7H', 'spiffe://corp/ns/a', 'x509:CN=Zoë,O=corp']) assert.ok(isPrincipalId(id), id);
  const not = [
    'owner',
    'unproven',
    'ziti:',
    'ziti:a b',
    'ziti:a/b',
    'spiffe://corp',
    'spiffe:///a',
    'x509:',
    'x509:a\nb',
    'x509:a\u202eb',
    `x509:${'x'.repeat(600)}`,
    'ZITI:a',
  ];
  for (const id of not) assert.equal(isPrincipalId(id), false, JSON.stringify(id));
});
