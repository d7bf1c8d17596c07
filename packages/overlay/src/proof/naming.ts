// What a certificate names, once its chain is believed. A name counts only as far as its issuer decided it:
//   ziti  The controller signs enrolment requests with the subject that the enrolling end wrote (openziti/ziti
//         controller/model/enrollment_mod_ott.go, authenticator_manager.go ExtendCert), so a CN alone is a claim: any member
//         of the network can have any. The SPIFFE URI of identities is the controller's word (enrolment from 2.0 on, session
//         certificates in all versions); that of routers is the router's own (enrollment_mod_erott.go), but there the CN is
//         checked. So both must say the same, and what they say is then nobody's invention.
//   x509  A company's CA decides subjects itself. A SPIFFE ID counts if the CA that we trust is named as its trust domain;
//         such a CA names by SPIFFE IDs and by nothing else.

import { OverlayError } from '../errors.ts';
import type { Certificate } from '../x509/certificate.ts';
import { mayBeClient } from '../x509/path.ts';
import { checkedId } from './principal.ts';

export type Naming = 'ziti' | 'x509';

/** How the certificates of a bundle name somebody. */
export interface NamingRule {
  readonly naming: Naming;
  /** The SPIFFE trust domain that all of its CAs are of, where whoever named the bundle said so. */
  readonly domain?: string;
}

export interface Named {
  readonly id: string;
  readonly name: string;
}

/** Throws `proof_not_client`, `proof_not_identity`, `proof_name_unvouched`. */
export function nameOf(leaf: Certificate, anchor: Certificate, rule: NamingRule): Named {
  const { isCa, keyUsage, extendedKeyUsage, subject } = leaf;
  if (isCa || keyUsage?.digitalSignature === false || !mayBeClient(extendedKeyUsage)) {
    throw new OverlayError('proof_not_client', `the certificate of ${subject.text} is not for proving who one is`, {
      hint: 'it is that of a CA or of a server; use one that was issued for a client',
    });
  }
  const spiffe = leaf.uris.filter((uri) => uri.toLowerCase().startsWith('spiffe:'));
  if (spiffe.length > 1) throw unvouched(`the certificate of ${subject.text} has several SPIFFE IDs`);
  return rule.naming === 'ziti' ? zitiName(leaf, spiffe[0]) : x509Name(leaf, anchor, spiffe[0], rule.domain);
}

/** `/identity/<id>`, behind it perhaps the session it was issued for (openziti/ziti common/spiffehlp/spiffe.go). */
const ZITI_IDENTITY =
  /^spiffe:\/\/[^/]+\/identity\/([^/]+)(?:\/apiSession\/[^/]+(?:\/apiSessionCertificate\/[^/]+)?)?$/;
const ZITI_MACHINE = /^spiffe:\/\/[^/]+\/(router|controller)(?:\/|$)/;

function zitiName({ subject }: Certificate, uri: string | undefined): Named {
  const [, machine] = ZITI_MACHINE.exec(uri ?? '') ?? [];
  if (machine !== undefined) {
    throw new OverlayError('proof_not_identity', `the certificate is that of a ${machine}, not of an identity`);
  }
  if (uri === undefined) {
    throw unvouched(
      `the network does not vouch for the name in this certificate (${subject.text}): who enrolled chose it`,
      'controllers before 2.0 issue such ones at enrolment; a session certificate, which this program asks for, names its identity',
    );
  }
  const [, id] = ZITI_IDENTITY.exec(uri) ?? [];
  if (id === undefined)
    throw new OverlayError('proof_not_identity', 'the certificate names no identity of the network');
  if (id !== subject.commonName) {
    throw unvouched(`the certificate names two: ${subject.text}, and ${uri}`);
  }
  return { id: checkedId(`ziti:${id}`), name: id };
}

const SPIFFE_ID = /^spiffe:\/\/([a-z0-9._-]{1,255})\/[A-Za-z0-9._/-]+$/;
const SPIFFE_DOMAIN = /^spiffe:\/\/([a-z0-9._-]{1,255})\/?$/;

function x509Name(
  { subject, uris }: Certificate,
  anchor: Certificate,
  uri: string | undefined,
  named: string | undefined,
): Named {
  const domains = named === undefined ? anchor.uris.flatMap((own) => spiffeDomain(own) ?? []) : [named];
  if (uri === undefined) {
    if (domains.length > 0) {
      throw unvouched(`${anchor.subject.text} names by SPIFFE IDs, and the certificate of ${subject.text} has none`);
    }
    if (subject.text === '') throw new OverlayError('proof_not_identity', 'the certificate names nobody');
    return { id: checkedId(`x509:${subject.text}`), name: subject.commonName ?? subject.text };
  }
  const [, domain] = SPIFFE_ID.exec(uri) ?? [];
  // SPIFFE X.509-SVID 2: exactly one URI.
  if (domain === undefined || uris.length > 1) throw unvouched(`${uri} is no SPIFFE ID`);
  if (!domains.includes(domain)) {
    throw unvouched(`the CA ${anchor.subject.text} is not named as that of the SPIFFE trust domain ${domain}`);
  }
  return { id: checkedId(uri), name: uri };
}

/** The trust domain that a URI names, and nothing inside it. */
export function spiffeDomain(uri: string): string | undefined {
  return SPIFFE_DOMAIN.exec(uri)?.[1];
}

function unvouched(text: string, hint?: string): OverlayError {
  return new OverlayError('proof_name_unvouched', text, hint === undefined ? {} : { hint });
}
