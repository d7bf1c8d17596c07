// Errors as Node 20 and 22 give them, and what is made of them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureOf } from '../../../src/transports/http/dial-failure.ts';

const URL_WITH_SECRET = new URL('https://mcp.example:8443/secret/mcp?key=secret');
const CASES: readonly [code: string, message: string, reason: string, hint?: RegExp][] = [
  ['ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:1', 'connection refused'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate', certificate('DEPTH_ZERO_SELF_SIGNED_CERT'), /the CA/],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', '…', certificate('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), /the CA/],
  ['ERR_TLS_CERT_ALTNAME_INVALID', '…', certificate('ERR_TLS_CERT_ALTNAME_INVALID'), /other names/],
  ['CERT_HAS_EXPIRED', 'certificate has expired', certificate('CERT_HAS_EXPIRED'), /renewed/],
  ['EPROTO', openssl('ssl3_get_record:wrong version number'), 'it does not speak TLS', /http:\/\//],
  [
    'EPROTO',
    openssl('ssl3_read_bytes:tlsv1 alert protocol version'),
    'no agreement on TLS: tlsv1 alert protocol version',
  ],
  [
    'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
    openssl('ssl3_read_bytes:tlsv13 alert certificate required').slice('write EPROTO '.length),
    'it wants a certificate of the client, and there is none to show',
  ],
  ['HPE_INVALID_CONSTANT', 'Parse Error: Expected HTTP/', 'it does not speak HTTP properly'],
];

test('a failure names the host, the reason and what to do, and nothing of the path', () => {
  for (const [code, message, reason, hint] of CASES) {
    const error = Object.assign(new Error(message), { code });
    for (const given of [error, new AggregateError([error])]) {
      const failure = failureOf(given, URL_WITH_SECRET, false);
      assert.equal(failure.message, `mcp.example:8443: ${reason}`);
      if (hint === undefined) assert.equal(failure.hint, undefined, code);
      else assert.match(failure.hint ?? '', hint);
    }
  }
});

function certificate(code: string): string {
  return `its certificate is not accepted (${code})`;
}

function openssl(said: string): string {
  return `write EPROTO 803C6681E37F0000:error:0A00010B:SSL routines:${said}:../deps/openssl/ssl/record.c:350:\n`;
}
