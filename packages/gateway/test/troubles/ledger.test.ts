import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gatewayTroubles } from '../../src/troubles/gateway.ts';

const WELL = {
  file: '/etc/g.yml',
  overlay: 'local',
  shares: [],
  audit: undefined,
  onFailure: 'deny',
  overload: undefined,
  pins: undefined,
  scrub: undefined,
  undelivered: 0,
} as const;

test('a ledger of calls that cannot be written is a trouble, with what to do', () => {
  assert.deepEqual(gatewayTroubles({ ...WELL, ledger: { folder: '/state/ledgers/x', trouble: undefined } }), []);
  const [trouble] = gatewayTroubles({
    ...WELL,
    ledger: { folder: '/state/ledgers/x', trouble: 'it cannot be written since … (ENOSPC)' },
  });
  assert.equal(trouble?.about, 'ledger of calls');
  assert.match(trouble?.remedy ?? '', /\/state\/ledgers\/x/);
});
