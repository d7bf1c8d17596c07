// The answer of `.well-known/est/cacerts`: a PKCS#7 SignedData that holds certificates and no signature (RFC 7030 4.1.3).

import { context, integer, oid, sequence, set } from './der.ts';

/** base64 in lines of 64 characters. */
export function certificateBundle(certificates: readonly Buffer[]): string {
  const signedData = sequence(
    integer(1),
    set(),
    sequence(oid('1.2.840.113549.1.7.1')),
    context(0, ...certificates),
    set(),
  );
  const bytes = sequence(oid('1.2.840.113549.1.7.2'), context(0, signedData));
  return `${(bytes.toString('base64').match(/.{1,64}/g) ?? []).join('\n')}\n`;
}
