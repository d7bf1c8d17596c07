// An identity: the key and certificate a program proves itself with, the CAs it trusts, and where its controllers are.
// Reads the files that the Go, C and zrok programs write; identity-file.ts writes them. Key names and value syntax:
// openziti/identity config.go and identity.go, openziti/sdk-golang ziti/config.go.

import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { controllerUrl } from './controller-url.ts';
import { ZitiError } from './errors.ts';
import { isRecord } from './json.ts';
import { LIMITS } from './limits.ts';
import { certificatesOf, certificatesPem, pemBlocks } from './pem.ts';

export interface ZitiIdentity {
  /** Base URLs, `https://host:port/edge/client/v1`. At least one. */
  readonly controllers: readonly string[];
  readonly key: KeyObject;
  /** PKCS#8, without passphrase. Never logged. */
  readonly keyPem: string;
  /** The chain, leaf first. */
  readonly certPem: string;
  /** All CA certificates. Empty: the trust store of the runtime decides, as in the other SDKs. */
  readonly caPem: string;
  /** The leaf's common name, which is the id of the identity in the network. */
  readonly id: string | null;
  readonly certExpiresAt: Date;
}

export interface ParseOptions {
  /** Folder of the identity file: relative paths in it start there. Without it, at the working directory. */
  readonly baseDir?: string;
  /** How messages call the text. */
  readonly name?: string;
}

type Member = 'id.key' | 'id.cert' | 'id.ca';

const KEY_LABELS: ReadonlySet<string> = new Set(['EC PRIVATE KEY', 'RSA PRIVATE KEY', 'PRIVATE KEY']);

export async function loadIdentity(path: string): Promise<ZitiIdentity> {
  const text = readCapped(path, `identity file ${path}`, 'Check the path, or enroll with a token first.');
  return parseIdentity(text, { baseDir: dirname(resolve(path)), name: `identity file ${path}` });
}

export function parseIdentity(json: string, options: ParseOptions = {}): ZitiIdentity {
  const name = options.name ?? 'the identity';
  const invalid = (what: string, cause?: unknown): ZitiError =>
    new ZitiError('identity_invalid', `${name}: ${what}`, {
      hint: 'An identity file is JSON with ztAPI and id.key, id.cert, id.ca, as enrolling writes it.',
      cause,
    });
  const pemOf = (member: Member, value: unknown): string => {
    if (typeof value !== 'string' || value.trim() === '') throw invalid(`${member} is missing`);
    return resolvePem(value, member, name, options.baseDir ?? '.');
  };

  const file = parseObject(json, invalid);
  const id = isRecord(file.id) ? file.id : {};
  if (file.ztAPI !== undefined && isRecord(file.id) && !('key' in id || 'cert' in id)) throw withoutCertificate(name);
  const key = keyOf(pemOf('id.key', id.key), invalid, name);
  const chain = readCertificates('id.cert', pemOf('id.cert', id.cert), invalid);
  const leaf = chain.findIndex((certificate) => certificate.checkPrivateKey(key));
  if (leaf === -1) throw invalid('id.cert does not belong to id.key');
  // Leaf first, whatever the file says: TLS takes the first one as ours.
  const ordered = [...chain.slice(leaf, leaf + 1), ...chain.slice(0, leaf), ...chain.slice(leaf + 1)];
  const hasCa = typeof id.ca === 'string' && id.ca.trim() !== '';
  const [first] = ordered as [X509Certificate];
  return {
    controllers: controllersOf(file, invalid),
    key,
    keyPem: key.export({ type: 'pkcs8', format: 'pem' }) as string,
    certPem: certificatesPem(ordered),
    caPem: hasCa ? certificatesPem(readCertificates('id.ca', pemOf('id.ca', id.ca), invalid)) : '',
    id: commonName(first),
    certExpiresAt: new Date(first.validTo),
  };
}

export interface IdentityTlsOptions {
  readonly key: string;
  readonly cert: string;
  readonly ca?: string;
  readonly allowPartialTrustChain: true;
}

/** For REST and for channels. Go takes every certificate of the bundle as an anchor; OpenSSL only with the last option. */
export function tlsOptions(identity: ZitiIdentity): IdentityTlsOptions {
  const { keyPem, certPem, caPem } = identity;
  return { key: keyPem, cert: certPem, ...(caPem === '' ? {} : { ca: caPem }), allowPartialTrustChain: true };
}

/** Undefined when there is none. With several, the last one, as in Go. */
export function commonName(certificate: X509Certificate): string | null {
  const { CN } = certificate.toLegacyObject().subject as { CN?: string | string[] };
  return (Array.isArray(CN) ? CN.at(-1) : CN) ?? null;
}

/** As the C SDK writes it for networks whose identities log in with a JWT of an external signer. */
function withoutCertificate(name: string): ZitiError {
  const what = `${name} has neither key nor certificate: it logs in with a token of an external signer (ext-jwt-signer)`;
  return new ZitiError('identity_unsupported', what, {
    hint: 'This client logs in with a certificate: ask for an identity with a one-time token, and enroll it.',
  });
}

type Invalid = (what: string, cause?: unknown) => ZitiError;

function parseObject(json: string, invalid: Invalid): Record<string, unknown> {
  if (json.length > LIMITS.identityBytes) throw invalid(`larger than ${LIMITS.identityBytes} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(json.replace(/^\uFEFF/, ''));
  } catch {
    // The parser's message quotes the text, and the text holds a key.
    throw invalid('not JSON');
  }
  if (!isRecord(value)) throw invalid('not a JSON object');
  return value;
}

function controllersOf(file: Record<string, unknown>, invalid: Invalid): string[] {
  const listed = Array.isArray(file.ztAPIs) && file.ztAPIs.length > 0 ? file.ztAPIs : [file.ztAPI];
  if (listed.length > LIMITS.controllers) throw invalid(`ztAPIs names more than ${LIMITS.controllers} controllers`);
  const urls = listed.map((entry: unknown) => {
    const url = typeof entry === 'string' ? controllerUrl(entry) : undefined;
    if (url === undefined) throw invalid('ztAPI must be the https:// address of a controller');
    return url;
  });
  return [...new Set(urls)];
}

function keyOf(pem: string, invalid: Invalid, name: string): KeyObject {
  const block = blocksOf('id.key', pem, invalid).find(({ label }) => KEY_LABELS.has(label) || label.endsWith('KEY'));
  if (block === undefined) throw invalid('id.key holds no private key');
  if (block.label === 'ENCRYPTED PRIVATE KEY' || block.text.includes('Proc-Type: 4,ENCRYPTED')) {
    throw new ZitiError('identity_unsupported', `${name}: id.key is protected by a passphrase`, {
      hint: 'Store the key without a passphrase (openssl pkey -in key.pem), in a file that only you can read.',
    });
  }
  if (!KEY_LABELS.has(block.label)) throw invalid(`id.key holds a ${block.label}, no private key`);
  try {
    return createPrivateKey(block.text);
  } catch (cause) {
    throw invalid('id.key cannot be read as a private key', cause);
  }
}

function readCertificates(member: Member, pem: string, invalid: Invalid): X509Certificate[] {
  let certificates: X509Certificate[];
  try {
    certificates = certificatesOf(pem);
  } catch (cause) {
    throw invalid(`${member}: ${(cause as Error).message}`, cause);
  }
  if (certificates.length === 0) throw invalid(`${member} holds no certificate`);
  return certificates;
}

function blocksOf(member: Member, pem: string, invalid: Invalid): ReturnType<typeof pemBlocks> {
  try {
    return pemBlocks(pem);
  } catch (cause) {
    throw invalid(`${member}: ${(cause as Error).message}`, cause);
  }
}

/** `pem:` text, bare PEM, `file:` and a path, or a bare path. */
function resolvePem(value: string, member: Member, name: string, baseDir: string): string {
  const text = value.trim();
  if (text.startsWith('-----BEGIN')) return text;
  // Two letters at least: `C:\key.pem` is a path.
  const [, scheme = '', rest = ''] = /^([A-Za-z][A-Za-z0-9+.-]+):(.*)$/s.exec(text) ?? [];
  if (scheme.toLowerCase() === 'pem') return rest;
  if (scheme !== '' && scheme.toLowerCase() !== 'file') {
    throw new ZitiError(
      'identity_unsupported',
      `${name}: ${member} is kept by "${scheme}", which needs a native driver`,
      {
        hint: 'Enroll again with a key in a file; hardware keys and key chains are not supported.',
      },
    );
  }
  const path = scheme === '' ? text : pathOfFileUrl(rest);
  return readCapped(resolve(baseDir, path), `${name}: ${member} = ${path}`, 'Check the path and who may read it.');
}

/** What follows `file:`. Two slashes are dropped, so that `file://key.pem` is relative, as some tools write it. */
function pathOfFileUrl(rest: string): string {
  const path = rest.startsWith('//') ? rest.slice(2) : rest;
  const local = /^\/[A-Za-z]:[\\/]/.test(path) ? path.slice(1) : path;
  try {
    return decodeURIComponent(local);
  } catch {
    return local;
  }
}

function readCapped(path: string, what: string, hint: string): string {
  try {
    if (statSync(path).size <= LIMITS.identityBytes) return readFileSync(path, 'utf8');
  } catch (cause) {
    const { code = 'error' } = cause as NodeJS.ErrnoException;
    throw new ZitiError('identity_unreadable', `${what} cannot be read (${code})`, { hint, cause });
  }
  throw new ZitiError('identity_unreadable', `${what} is larger than ${LIMITS.identityBytes} bytes`, { hint });
}
