// Certificates for tests, good and bad: a CA issues whatever it is told to, and lists what it revoked. node:crypto reads
// certificates and makes none, so the DER (RFC 5280 4.1, 5.1) is written here, with no care for what is sensible.

import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { pemOf } from '../x509/pem.ts';

export type KeyKind = 'p256' | 'p384' | 'p521' | 'ed25519' | 'rsa' | 'k256' | 'ed448' | { readonly rsaBits: number };

export interface CertificateOptions {
  /** Most general part first, as in DER. Default: `CN=<what>`. */
  readonly subject?: readonly (readonly [type: string, value: string])[];
  readonly key?: KeyObject;
  readonly kind?: KeyKind;
  readonly ca?: boolean;
  readonly pathLength?: number;
  readonly uris?: readonly string[];
  /** Dotted; null: no such extension. Default: clientAuth for leaves, none for CAs. */
  readonly usages?: readonly string[] | null;
  /** null: no such extension. Default: digitalSignature for leaves, keyCertSign and cRLSign for CAs. */
  readonly keyUsage?: number | null;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly serial?: number;
  /** Extensions besides: [oid, critical, value as DER]. */
  readonly more?: readonly (readonly [oid: string, critical: boolean, value: Buffer])[];
}

export interface Issued {
  readonly der: Buffer;
  readonly pem: string;
  readonly key: KeyObject;
  readonly keyPem: string;
  readonly serial: number;
}

export interface Authority extends Issued {
  /** A certificate signed by this one. */
  issue(name: string, options?: CertificateOptions): Issued;
  /** A CA below this one. */
  authority(name: string, options?: CertificateOptions): Authority;
  /** PEM. */
  revocationList(serials: readonly number[], options?: { nextUpdate?: Date; critical?: string }): string;
}

export const USAGE = { clientAuth: '1.3.6.1.5.5.7.3.2', serverAuth: '1.3.6.1.5.5.7.3.1' } as const;
export const KEY_USAGE = { digitalSignature: 0x80, keyCertSign: 0x04 } as const;
const CRL_SIGN = 0x02;
const HOUR = 3_600_000;

const TYPES: Readonly<Record<string, string>> = {
  CN: '2.5.4.3',
  C: '2.5.4.6',
  O: '2.5.4.10',
  OU: '2.5.4.11',
};

/** A root of its own. */
export function testAuthority(name: string, options: CertificateOptions = {}): Authority {
  return authorityOf(name, { ca: true, ...options }, undefined);
}

export function keyOf(kind: KeyKind): KeyObject {
  if (typeof kind === 'object') return generateKeyPairSync('rsa', { modulusLength: kind.rsaBits }).privateKey;
  switch (kind) {
    case 'rsa':
      return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    case 'ed25519':
      return generateKeyPairSync('ed25519').privateKey;
    case 'ed448':
      return generateKeyPairSync('ed448').privateKey;
    default: {
      const namedCurve = { p256: 'P-256', p384: 'P-384', p521: 'P-521', k256: 'secp256k1' }[kind];
      return generateKeyPairSync('ec', { namedCurve }).privateKey;
    }
  }
}

interface Signer {
  readonly name: Buffer;
  readonly key: KeyObject;
}

let serials = 1;

function authorityOf(name: string, options: CertificateOptions, issuer: Signer | undefined): Authority {
  const made = certificate(name, options, issuer);
  const self: Signer = { name: made.name, key: made.key };
  return {
    ...made,
    issue: (what, more = {}) => certificate(what, more, self),
    authority: (what, more = {}) => authorityOf(what, { ca: true, ...more }, self),
    revocationList: (revoked, more = {}) => revocationList(revoked, more, self),
  };
}

function certificate(
  what: string,
  options: CertificateOptions,
  issuer: Signer | undefined,
): Issued & { readonly name: Buffer } {
  const { ca = false, kind = 'p256', serial = serials++, uris = [], more = [], pathLength } = options;
  const key = options.key ?? keyOf(kind);
  const name = nameOf(options.subject ?? [['CN', what]]);
  const signer = issuer ?? { name, key };
  const now = Date.now();
  const usages = options.usages === undefined ? (ca ? null : [USAGE.clientAuth]) : options.usages;
  const bits = options.keyUsage === undefined ? (ca ? KEY_USAGE.keyCertSign | CRL_SIGN : 0x80) : options.keyUsage;
  const limits = pathLength === undefined ? [] : [integer(pathLength)];
  const extensions = [
    ...(ca ? [extension('2.5.29.19', true, sequence(Buffer.of(1, 1, 0xff), ...limits))] : []),
    ...(bits === null ? [] : [extension('2.5.29.15', true, tlv(3, Buffer.of(0, bits)))]),
    ...(usages === null ? [] : [extension('2.5.29.37', false, sequence(...usages.map(oid)))]),
    ...(uris.length === 0
      ? []
      : [extension('2.5.29.17', false, sequence(...uris.map((uri) => tlv(0x86, Buffer.from(uri)))))]),
    ...more.map(([id, critical, value]) => extension(id, critical, value)),
  ];
  const tbs = sequence(
    tlv(0xa0, integer(2)),
    integer(serial),
    algorithmOf(signer.key),
    signer.name,
    sequence(time(options.notBefore ?? new Date(now - HOUR)), time(options.notAfter ?? new Date(now + 24 * HOUR))),
    name,
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    ...(extensions.length === 0 ? [] : [tlv(0xa3, sequence(...extensions))]),
  );
  const der = signed(tbs, signer.key);
  const keyPem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { der, pem: pemOf('CERTIFICATE', der), key, keyPem, serial, name };
}

function revocationList(
  revoked: readonly number[],
  { nextUpdate = new Date(Date.now() + HOUR), critical }: { nextUpdate?: Date; critical?: string },
  signer: Signer,
): string {
  const now = new Date();
  const entries = revoked.map((serial) => sequence(integer(serial), time(now)));
  const tbs = sequence(
    integer(1),
    algorithmOf(signer.key),
    signer.name,
    time(now),
    time(nextUpdate),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    tlv(0xa0, sequence(extension(critical ?? '2.5.29.20', critical !== undefined, integer(1)))),
  );
  return pemOf('X509 CRL', signed(tbs, signer.key));
}

function signed(tbs: Buffer, key: KeyObject): Buffer {
  const hash = key.asymmetricKeyType?.startsWith('ed') ? null : 'sha256';
  return sequence(tbs, algorithmOf(key), tlv(3, Buffer.concat([Buffer.of(0), sign(hash, tbs, key)])));
}

function algorithmOf({ asymmetricKeyType: type }: KeyObject): Buffer {
  if (type === 'ed25519') return sequence(oid('1.3.101.112'));
  if (type === 'ed448') return sequence(oid('1.3.101.113'));
  if (type === 'ec') return sequence(oid('1.2.840.10045.4.3.2'));
  return sequence(oid('1.2.840.113549.1.1.11'), tlv(5, Buffer.alloc(0)));
}

function nameOf(parts: readonly (readonly [string, string])[]): Buffer {
  return sequence(
    ...parts.map(([type, value]) => tlv(0x31, sequence(oid(TYPES[type] ?? type), tlv(0x0c, Buffer.from(value))))),
  );
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(critical ? [Buffer.of(1, 1, 0xff)] : []), tlv(4, value));
}

function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, '');
  return tlv(0x18, Buffer.from(digits));
}

function integer(value: number): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  return tlv(2, (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const arcs = [first * 40 + second, ...rest].map((arc) => {
    const bytes = [arc & 0x7f];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) bytes.unshift((left & 0x7f) | 0x80);
    return Buffer.from(bytes);
  });
  return tlv(6, Buffer.concat(arcs));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tlv(0x30, Buffer.concat(parts));
}

export function tlv(tag: number, body: Buffer): Buffer {
  const { length } = body;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), body]);
  const bytes = [];
  for (let left = length; left > 0; left = Math.floor(left / 256)) bytes.unshift(left % 256);
  return Buffer.concat([Buffer.of(tag, 0x80 | bytes.length, ...bytes), body]);
}
