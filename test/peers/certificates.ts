// Certificates for one test, made with the openssl program: a CA of its own and a server certificate that it signed.

import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface Certificate {
  /** The file to configure as CA. */
  readonly caFile: string;
  readonly cert: Buffer;
  readonly key: Buffer;
}

const run = promisify(execFile);
const KEY = ['-newkey', 'rsa:2048', '-nodes'];

/** Why there can be none, undefined when there can. */
export async function withoutOpenssl(): Promise<string | undefined> {
  try {
    await run('openssl', ['version']);
    return undefined;
  } catch (error) {
    return `no openssl: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** For these names only; written for OpenSSL and LibreSSL alike. */
export async function certificate(folder: string, name: string, names: string): Promise<Certificate> {
  const file = (what: string): string => join(folder, `${name}-${what}`);
  const openssl = (...args: string[]): Promise<unknown> => run('openssl', args, { cwd: folder });
  const ca = ['-keyout', file('ca.key'), '-out', file('ca.pem'), '-subj', `/CN=${name} CA`, '-days', '2'];
  await openssl('req', '-x509', ...KEY, ...ca);
  await openssl('req', '-new', ...KEY, '-keyout', file('key.pem'), '-out', file('csr.pem'), '-subj', `/CN=${name}`);
  await writeFile(file('ext.cnf'), `subjectAltName=${names}\n`);
  const signed = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial', '-days', '2'];
  await openssl(
    'x509',
    '-req',
    '-in',
    file('csr.pem'),
    ...signed,
    '-extfile',
    file('ext.cnf'),
    '-out',
    file('cert.pem'),
  );
  return { caFile: file('ca.pem'), cert: await readFile(file('cert.pem')), key: await readFile(file('key.pem')) };
}
