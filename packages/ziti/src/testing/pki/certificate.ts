// One X.509 v3 certificate (RFC 5280), signed with an EC key: the bytes, nothing about who asked for it.

import { createHash, createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import { bits, context, contextPrimitive, integer, octets, oid, sequence, set, text, time, yes } from './der.ts';

export interface CertificateFacts {
  /** DER of the Name. */
  readonly subject: Buffer;
  readonly issuer: Buffer;
  readonly publicKey: KeyObject;
  readonly issuerKey: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly authority: boolean;
  readonly use: 'server' | 'client' | 'both';
  readonly dns: readonly string[];
  readonly ip: readonly string[];
  readonly uri: readonly string[];
}

const ECDSA_WITH_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));
const SERVER_AUTH = oid('1.3.6.1.5.5.7.3.1');
const CLIENT_AUTH = oid('1.3.6.1.5.5.7.3.2');

/** `O=…, CN=…`. */
export function nameOf(commonName: string): Buffer {
  const part = (type: string, value: string): Buffer => set(sequence(oid(type), text(value)));
  return sequence(part('2.5.4.10', 'mcp-overlay test network'), part('2.5.4.3', commonName));
}

export function signCertificate(facts: CertificateFacts): Buffer {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const tbs = sequence(
    context(0, integer(2)),
    integer(serial),
    ECDSA_WITH_SHA256,
    facts.issuer,
    sequence(time(facts.notBefore), time(facts.notAfter)),
    facts.subject,
    spkiOf(facts.publicKey),
    context(3, sequence(...extensions(facts))),
  );
  return sequence(tbs, ECDSA_WITH_SHA256, bits(sign('sha256', tbs, facts.issuerKey)));
}

function extensions(facts: CertificateFacts): Buffer[] {
  const critical = (type: string, value: Buffer): Buffer => sequence(oid(type), yes(), octets(value));
  const plain = (type: string, value: Buffer): Buffer => sequence(oid(type), octets(value));
  const list = [
    critical('2.5.29.19', facts.authority ? sequence(yes()) : sequence()),
    // digitalSignature, or keyCertSign and cRLSign.
    critical('2.5.29.15', facts.authority ? bits(Buffer.of(0x06), 1) : bits(Buffer.of(0x80), 7)),
    plain('2.5.29.14', octets(keyId(facts.publicKey))),
    plain('2.5.29.35', sequence(contextPrimitive(0, keyId(facts.issuerKey)))),
  ];
  if (!facts.authority) {
    const uses = { server: [SERVER_AUTH], client: [CLIENT_AUTH], both: [SERVER_AUTH, CLIENT_AUTH] }[facts.use];
    list.push(plain('2.5.29.37', sequence(...uses)));
  }
  const names = [
    ...facts.dns.map((name) => contextPrimitive(2, Buffer.from(name))),
    ...facts.uri.map((uri) => contextPrimitive(6, Buffer.from(uri))),
    ...facts.ip.map((ip) => contextPrimitive(7, ipBytes(ip))),
  ];
  if (names.length > 0) list.push(plain('2.5.29.17', sequence(...names)));
  return list;
}

function spkiOf(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}

/** SHA-1 of the key as it stands in the certificate: a name for it, no protection. */
function keyId(key: KeyObject): Buffer {
  const publicKey = key.type === 'public' ? key : createPublicKey(key);
  return createHash('sha1').update(spkiOf(publicKey)).digest();
}

function ipBytes(ip: string): Buffer {
  if (isIPv4(ip)) return Buffer.from(ip.split('.').map(Number));
  if (!isIPv6(ip) || ip.includes('.')) throw new Error(`not an IP address: ${ip}`);
  const [head = '', tail] = ip.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  const words = [...left, ...zeros, ...right].map((word) => Number.parseInt(word, 16));
  return Buffer.from(words.flatMap((word) => [word >> 8, word & 0xff]));
}
