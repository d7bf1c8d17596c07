// How the ends of a network's connections prove who they are: what a driver gives beside its connections. With files for
// the local overlay: read when they are named, and again when they change, so that a renewed certificate or a longer
// revocation list counts without a restart.

import { open, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { OverlayError } from '../errors.ts';
import { FILE_LIMITS } from '../limits.ts';
import { pemBlocks } from '../x509/pem.ts';
import { type Credential, credentialFromPem, credentialOf } from './credential.ts';
import { rereadFile } from './mark.ts';
import { refuseOlder, type SpiffeBundle, trustFromSpiffeBundle } from './spiffe-bundle.ts';
import { networkTrust, type TrustBundle, trustFromPem } from './trust.ts';

export interface ProofSettings {
  /** Part of what is signed: `local`, `ziti`. The same at both ends. */
  readonly network: string;
  /** Tells this network from others of its kind in `known-shares`. It must never change. */
  readonly realm?: string;
  /** Asked for each connection; undefined: this end proves nothing. */
  credential(): Promise<Credential | undefined>;
  /** Asked for each proof; empty: proofs are not judged. */
  trust(): Promise<readonly TrustBundle[]>;
}

export interface ProofFiles {
  readonly network: string;
  readonly identity?: string | undefined;
  readonly trust: readonly string[];
  readonly log?: { warn?(fields: object, event: string): void } | undefined;
}

/** undefined where neither is named. Rejects `identity_invalid`, `trust_invalid`. */
export async function proofsFromFiles({
  network,
  identity,
  trust,
  log,
}: ProofFiles): Promise<ProofSettings | undefined> {
  if (identity === undefined && trust.length === 0) return undefined;
  const own = identity === undefined ? undefined : await rereadFile(identity, readIdentity, warnTo(log));
  const besides = await trustFiles(trust, log);
  return {
    network,
    credential: async () => (await own?.())?.credential,
    trust: async () => [...((await own?.())?.trust ?? []), ...(await besides())],
  };
}

/** What these files say at each moment. Rejects `trust_invalid`. */
export async function trustFiles(
  files: readonly string[],
  log: ProofFiles['log'],
): Promise<() => Promise<readonly TrustBundle[]>> {
  const bundles = await Promise.all(
    files.map((entry) => {
      const { file, domain } = trustEntry(entry);
      return rereadFile<TrustBundle>(file, (path, before) => readTrust(path, before, domain), warnTo(log));
    }),
  );
  return () => Promise.all(bundles.map((bundle) => bundle()));
}

function warnTo(log: ProofFiles['log']): (file: string, error: unknown) => void {
  return (file, error) => {
    log?.warn?.({ file, error: String(error) }, 'file cannot be read again, its former contents stay in force');
  };
}

interface IdentityFile {
  readonly credential: Credential;
  /** An OpenZiti identity brings the CA of its network along. */
  readonly trust: readonly TrustBundle[];
}

async function readIdentity(file: string): Promise<IdentityFile> {
  const text = await readText(file, 'identity_invalid');
  const { mode } = await stat(file);
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw new OverlayError('identity_invalid', `${file} holds a key and is open to others`, {
      hint: `chmod 600 ${file}`,
    });
  }
  if (!/^\s*\{/.test(text)) return { credential: credentialFromPem(text, file), trust: [] };
  // Loaded for such files only: the client of a network is no small thing.
  const { parseIdentity } = await import('@mcp-overlay/ziti');
  try {
    const { certPem, key, caPem } = parseIdentity(text, { baseDir: dirname(resolve(file)), name: file });
    const certificates = pemBlocks(certPem).map(({ der }) => der);
    return { credential: credentialOf(certificates, key, file), trust: networkTrust(caPem) };
  } catch (error) {
    if (error instanceof OverlayError) throw error;
    const { message, hint } = error as Error & { hint?: string };
    throw new OverlayError('identity_invalid', message, { cause: error, ...(hint === undefined ? {} : { hint }) });
  }
}

/** A PEM file of CAs that names a trust domain counts as its bundle: all of its CAs name by SPIFFE IDs of that domain. */
async function readTrust(
  file: string,
  before: TrustBundle | undefined,
  domain: string | undefined,
): Promise<TrustBundle> {
  const text = await readText(file, 'trust_invalid');
  if (!/^\s*\{/.test(text)) return { ...trustFromPem(text, 'x509', file), ...(domain !== undefined && { domain }) };
  const bundle = trustFromSpiffeBundle(text, domain, file);
  if (before && 'sequence' in before) refuseOlder(bundle, before as SpiffeBundle, file);
  return bundle;
}

/** `spiffe://domain=path`, or a path alone. */
function trustEntry(entry: string): { file: string; domain: string | undefined } {
  const [, domain, file] = /^spiffe:\/\/([a-z0-9._-]{1,255})=(.+)$/.exec(entry) ?? [];
  return file === undefined ? { file: entry, domain: undefined } : { file, domain };
}

async function readText(file: string, code: 'identity_invalid' | 'trust_invalid'): Promise<string> {
  try {
    await using handle = await open(file, 'r');
    const { size } = await handle.stat();
    if (size > FILE_LIMITS.pemBytes) throw new OverlayError(code, `${file} has ${size} bytes, which is too much`);
    return await handle.readFile('latin1');
  } catch (cause) {
    if (cause instanceof OverlayError) throw cause;
    const { code: why } = cause as NodeJS.ErrnoException;
    throw new OverlayError(code, `${file} cannot be read${why === undefined ? '' : ` (${why})`}`, { cause });
  }
}
