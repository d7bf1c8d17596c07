// One-time-token enrollment (openziti/sdk-golang ziti/enroll/enroll.go): from a token to an identity file. The key is made
// here and stays here. Order: everything that can fail without harm first - token, output file, the controller's proof that
// it made the token, its CAs, key and request - and the one request that uses the token up at the very end.

import { generateKeyPair, type KeyObject, type X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import { proxyFromEnvironment } from '../channel/proxy.ts';
import type { OpenSocket } from '../channel/underlay.ts';
import { type ApiAnswer, apiAnswer, describe, invalidAnswer, type Refusal } from '../controller/answers.ts';
import { trouble } from '../controller/controllers.ts';
import { listedControllers } from '../controller/listed-controllers.ts';
import { hostsOf, troubled } from '../controller/refusals.ts';
import { createRestClient, type RestAnswer, type RestClient } from '../controller/rest-client.ts';
import { aborted } from '../controller/unanswered.ts';
import { ZitiError } from '../errors.ts';
import { commonName } from '../identity.ts';
import { reserveIdentityFile } from '../identity-file.ts';
import { isRecord, textOf } from '../json.ts';
import { isSignedBy } from '../jwt.ts';
import { certificatesOf, certificatesPem } from '../pem.ts';
import { certificateRequest } from './csr.ts';
import { certificatesOfBundle } from './pkcs7.ts';
import { fetchServerCertificate } from './server-certificate.ts';
import { type EnrollmentToken, expired, parseEnrollmentToken } from './token.ts';

export type KeyType = 'P-256' | 'P-384' | 'P-521' | 'RSA-2048' | 'RSA-4096' | 'Ed25519';

export interface EnrollOptions {
  /** The identity file that is to be made. It must not exist. */
  readonly out: string;
  /** Default 'P-256'. */
  readonly keyType?: KeyType;
  readonly signal?: AbortSignal;
  /** The way to the controller. Default: as HTTPS_PROXY and NO_PROXY say. */
  readonly openSocket?: OpenSocket | undefined;
  readonly timeoutMs?: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

export interface Enrolled {
  readonly identityFile: string;
  /** Of the identity in the network. */
  readonly id: string;
  readonly controllers: readonly string[];
}

export async function enroll(jwtText: string, asked: EnrollOptions): Promise<Enrolled> {
  const options = { ...asked, openSocket: asked.openSocket ?? proxyFromEnvironment() };
  const { signal, now = Date.now } = options;
  const token = parseEnrollmentToken(jwtText, now());
  await using file = await reserveIdentityFile(options.out);
  const leaf = await fetchServerCertificate(token.controller, options);
  if (!isSignedBy(token.jwt, leaf.publicKey)) throw notTheIssuer(token);
  const authorities = await fetchAuthorities(token, leaf, options);
  const key = await makeKey(options.keyType ?? 'P-256');
  const csr = certificateRequest(key, token.identityId);
  if (signal?.aborted) throw aborted(signal.reason);

  const answer = await redeem(token, csr, certificatesPem(authorities), options);
  const chain = issuedChain(answer, key, token);
  const controllers = [...new Set([token.controller, ...answer.controllers])];
  await file.commit({
    controllers,
    keyPem: key.export({ type: 'pkcs8', format: 'pem' }) as string,
    certPem: certificatesPem(chain),
    caPem: certificatesPem(authorities),
  });
  const [first] = chain;
  return { identityFile: file.path, id: (first && commonName(first)) ?? token.identityId, controllers };
}

/** Trusting the verified certificate alone: it vouches for the CAs. */
async function fetchAuthorities(
  { controller }: EnrollmentToken,
  leaf: X509Certificate,
  options: EnrollOptions,
): Promise<X509Certificate[]> {
  const { host } = new URL(controller);
  const answer = await withClient(leaf.toString(), options, (client) =>
    client.send({
      method: 'GET',
      url: `${controller}/.well-known/est/cacerts`,
      headers: { accept: '*/*' },
      signal: options.signal,
    }),
  );
  if (answer.status !== 200)
    throw refusedBy(controller, { status: answer.status, code: undefined, message: undefined });
  try {
    const found = certificatesOfBundle(answer.body);
    if (found.length > 0) return found;
  } catch (error) {
    throw invalidAnswer(host, `its CA bundle (${(error as Error).message})`);
  }
  throw invalidAnswer(host, 'a CA bundle without certificates');
}

interface Redeemed {
  readonly certPem: string;
  readonly controllers: readonly string[];
}

/** Uses the token up. Not stopped by a signal: the identity that came back too late would be lost. */
async function redeem(token: EnrollmentToken, csr: string, ca: string, options: EnrollOptions): Promise<Redeemed> {
  const { controller, secret } = token;
  const { host } = new URL(controller);
  return withClient(ca, options, async (client) => {
    const json = JSON.stringify({ token: secret, clientCsr: csr });
    let answer = await post(client, `${controller}/enroll/ott`, { type: 'application/json', text: json });
    if (answer.status === 404 || answer.status === 405) {
      // Controllers that do not know that form yet; the token is untouched.
      const url = `${controller}/enroll?method=ott&token=${encodeURIComponent(secret)}`;
      answer = await post(client, url, { type: 'application/x-pem-file', text: csr });
    }
    const text = answer.body.toString();
    if (answer.status === 200 && !text.trimStart().startsWith('{')) return { certPem: text, controllers: [] };
    const parsed: ApiAnswer = apiAnswer(answer, host);
    if (!parsed.ok) throw refusedBy(controller, parsed.refusal);
    const data = isRecord(parsed.data) ? parsed.data : {};
    return { certPem: textOf(data, 'cert') ?? '', controllers: listedControllers(data.controllers).flat() };
  });
}

async function post(client: RestClient, url: string, body: { type: string; text: string }): Promise<RestAnswer> {
  try {
    return await client.send({ method: 'POST', url, body });
  } catch (error) {
    if (!(error instanceof ZitiError) || error.code === 'controller_untrusted') throw error;
    const hint = 'The token may have been used up: try it once more, and if it is refused, ask for a new one.';
    throw new ZitiError(error.code, error.message, { hint, cause: error });
  }
}

function issuedChain({ certPem }: Redeemed, key: KeyObject, { controller }: EnrollmentToken): X509Certificate[] {
  const { host } = new URL(controller);
  try {
    const chain = certificatesOf(certPem);
    if (chain[0]?.checkPrivateKey(key)) return chain;
  } catch (error) {
    throw invalidAnswer(host, `its certificate (${(error as Error).message})`);
  }
  throw invalidAnswer(host, 'no certificate for our key');
}

async function withClient<T>(ca: string, options: EnrollOptions, use: (client: RestClient) => Promise<T>): Promise<T> {
  const { openSocket, timeoutMs } = options;
  const tls = { ca, allowPartialTrustChain: true };
  const client = createRestClient({ tls, openSocket, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

async function makeKey(type: KeyType): Promise<KeyObject> {
  const pair = promisify(generateKeyPair);
  if (type === 'Ed25519') return (await pair('ed25519')).privateKey;
  if (type.startsWith('RSA-')) return (await pair('rsa', { modulusLength: Number(type.slice(4)) })).privateKey;
  return (await pair('ec', { namedCurve: type })).privateKey;
}

function notTheIssuer({ controller }: EnrollmentToken): ZitiError {
  return new ZitiError('enroll_untrusted', `${hostsOf([controller])} is not the one that made the token`, {
    hint: 'The token was altered, the controller has a new server certificate, or somebody is in between. Ask for a new token.',
  });
}

function refusedBy(controller: string, partial: Pick<Refusal, 'status' | 'code' | 'message'>): ZitiError {
  const refusal: Refusal = { field: undefined, retryAfterMs: undefined, ...partial };
  const who = hostsOf([controller]);
  if (refusal.code === 'ENROLLMENT_EXPIRED') return expired(`${who} says that the token has expired`);
  if (refusal.code === 'INVALID_ENROLLMENT_TOKEN') {
    return new ZitiError('enroll_token_refused', `${who} does not accept the token: ${describe(refusal)}`, {
      hint: 'It works once: if this identity was enrolled before, use that file. Otherwise ask for a new token.',
    });
  }
  if (trouble(refusal)) return troubled(refusal, 'enrolling', [controller]);
  return new ZitiError('enroll_refused', `${who} refused to enroll: ${describe(refusal)}`, {
    hint: 'Is the version of the controller supported (1.6 and later)?',
  });
}
