// Every error of the OpenZiti client becomes one of ours, with its words and its remedy.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ZITI_ERROR_CODES, ZitiError } from '@mcp-overlay/ziti';
import { OVERLAY_ERROR_CODES, OverlayError } from '../../src/index.ts';
import { connectionError, overlayError } from '../../src/ziti/refusals.ts';

test('what a person must do something about is told apart from a network that is away', () => {
  const kinds: Record<string, string> = {
    service_not_found: 'share_unknown',
    service_not_permitted: 'not_permitted',
    service_not_hosted: 'share_not_hosted',
    host_refused: 'share_not_hosted',
    host_silent: 'dial_timeout',
    dial_timeout: 'dial_timeout',
    aborted: 'dial_aborted',
    identity_unreadable: 'identity_invalid',
    login_refused: 'identity_refused',
    posture_failed: 'identity_refused',
    enroll_token_expired: 'enroll_refused',
    enroll_refused: 'enroll_refused',
    encryption_mismatch: 'peer_incompatible',
    crypto_message_invalid: 'peer_incompatible',
    crypto_unavailable: 'overlay_unavailable',
    context_closed: 'overlay_unavailable',
    controller_unreachable: 'network_unreachable',
    controller_untrusted: 'network_unreachable',
    router_unreachable: 'network_unreachable',
    proxy_refused: 'network_unreachable',
    no_edge_routers: 'network_unreachable',
    channel_lost: 'network_unreachable',
  };
  for (const code of ZITI_ERROR_CODES) {
    const error = overlayError(new ZitiError(code, 'the words', { hint: 'The remedy helps. OpenZiti too.' }));
    assert.ok(error instanceof OverlayError);
    assert.ok((OVERLAY_ERROR_CODES as readonly string[]).includes(error.code));
    assert.deepEqual([error.message, error.hint], ['the words', 'the remedy helps. OpenZiti too']);
    if (code in kinds) assert.equal(error.code, kinds[code], code);
  }
});

test('a connection that was there is lost, whatever ended it', () => {
  for (const code of ['channel_lost', 'connection_closed', 'reader_too_slow', 'connection_lost'] as const) {
    assert.equal(connectionError(new ZitiError(code, 'x')).code, 'connection_lost');
  }
  assert.equal(connectionError(new ZitiError('crypto_message_invalid', 'x')).code, 'peer_incompatible');
  assert.equal(connectionError(new Error('x')).code, 'connection_lost');
  const ours = new OverlayError('connection_aborted', 'x');
  assert.equal(connectionError(ours), ours);
});

test('a fault of ours stays what it is', () => {
  const fault = new TypeError('a bug');
  assert.equal(overlayError(fault), fault);
});
