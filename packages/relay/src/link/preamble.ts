// The first line each way (docs/WIRE.md 3): its grammar, nothing else. Whoever reads one reads a stranger's text: every
// field is checked for type and size here, unknown keys are ignored, and no error repeats what the stranger wrote.

import { RelayError } from '../errors.ts';

export const LINK_PREFIX = 'MCP-LINK/';
export const LINK_VERSION = 1;

/** Whatever a side offers to prove who it is. Carried here, judged above. */
export type PeerProof = Readonly<Record<string, unknown>>;

/** The dialer's line. */
export interface Hello {
  /** The link to take up again; null for a new one. Secret. */
  readonly link: string | null;
  /** Number of the last message the dialer took from that link. */
  readonly got: number;
  readonly session: string;
  readonly by: string;
  /** Instances this session already came through, the first one first: how a cycle is found. */
  readonly via: readonly string[];
  readonly proof: PeerProof | null;
}

/** What becomes of calls and servers at this host when a way to it is lost. */
export interface HostTerms {
  /** Seconds for which it keeps the outcome of a call that has a key: it may be asked again. Absent: it keeps none. */
  readonly once?: number;
  /** Where it keeps them, and for whom: a host that says another does not know what this one was asked. */
  readonly ledger?: string;
  /** Whether a session that comes back finds its servers as it left them. Absent: the host cannot say. */
  readonly kept?: boolean;
}

/** The host's line when it agrees. */
export interface Welcome extends HostTerms {
  readonly link: string;
  readonly got: number;
  /** The host knows no such link: both sides number from 1 again. */
  readonly fresh: boolean;
  /** Seconds it keeps a broken link. */
  readonly window: number;
  readonly by: string;
  readonly proof: PeerProof | null;
  /** Whom the host takes the dialer for; absent: it does not say. */
  readonly as?: string;
}

/** The host's line when it wants to be told first what the dialer announced. Its answer comes after that. */
export interface Question {
  readonly asks: true;
  readonly proof: PeerProof | null;
}

/** The host's line when it does not. */
export interface Refusal {
  readonly code: string;
  readonly reason: string;
  /** Come again after this; without it, do not. */
  readonly retryMs?: number;
}

/** Gateways in a row, and the length of one's name: `via` comes from strangers. */
const MAX_VIA = 32;
const MAX_VIA_CHARS = 64;
const MAX_BY_CHARS = 200;
const MAX_REASON_CHARS = 500;
/** A principal's id. */
const MAX_AS_CHARS = 1024;
/** No call is asked again for longer than a week, whatever a host promises. */
const MAX_ONCE_S = 7 * 86_400;
/** A host may ask us to stay away for an hour, not for ever. */
const MAX_RETRY_MS = 3_600_000;

const ID = /^[0-9a-f]{32}$/;
const CODE = /^[a-z][a-z0-9_]{0,39}$/;
const TOLD = '!proof ';
const LINE = /^MCP-LINK\/([0-9]{1,4}) (\{.*)$/s;

export function encodeHello(hello: Hello): string {
  const { via, proof, ...rest } = hello;
  return line({ ...rest, ...(via.length > 0 && { via }), ...(proof && { proof }) });
}

export function encodeWelcome(welcome: Welcome): string {
  const { proof, ...rest } = welcome;
  return line({ ...rest, ...(proof && { proof }) });
}

export function encodeQuestion(proof: PeerProof | null): string {
  return line({ asks: true, ...(proof && { proof }) });
}

/** What a dialer tells when it is asked: a control line, never logged. */
export function encodeTold(proof: PeerProof): string {
  return `${TOLD}${JSON.stringify(proof)}\n`;
}

/** Throws `link_protocol`. */
export function readTold(bytes: Buffer): PeerProof {
  const text = bytes.toString('utf8');
  const value = text.startsWith(TOLD) ? jsonOf(text.slice(TOLD.length)) : undefined;
  if (!isObject(value)) throw malformed('the dialer', 'proof');
  return value;
}

export function encodeRefusal(error: Refusal): string {
  return line({ error: { ...error, reason: error.reason.slice(0, MAX_REASON_CHARS) } });
}

/** Throws `link_protocol`, `link_version`. A version above ours is fine: we answer with ours, the dialer decides. */
export function readHello(bytes: Buffer): Hello {
  const { version, body } = split(bytes, 'the dialer');
  if (version < 1)
    throw new RelayError('link_version', `the dialer speaks link version ${version}, this host speaks 1`);
  const { link = null, session, via = [] } = body;
  if (link !== null && !isId(link)) throw malformed('the dialer', 'link');
  if (!isId(session)) throw malformed('the dialer', 'session');
  if (!Array.isArray(via) || via.length > MAX_VIA || !via.every(isInstance)) throw malformed('the dialer', 'via');
  return {
    link,
    session,
    via,
    got: count(body.got, 'the dialer'),
    by: claim(body.by),
    proof: proofOf(body.proof, 'the dialer'),
  };
}

/** Throws `link_protocol`, `link_version`, `peer_speaks_http`. */
export function readAnswer(bytes: Buffer): Welcome | Question | { readonly error: Refusal } {
  if (bytes.subarray(0, 7).toString('latin1') === 'HTTP/1.') {
    throw new RelayError('peer_speaks_http', 'the host speaks HTTP, not link', {
      hint: 'it is an older program (MCP over SSE); such a host can be reached over HTTP',
    });
  }
  const { version, body } = split(bytes, 'the host');
  if (version !== LINK_VERSION) {
    throw new RelayError(
      'link_version',
      `the host speaks link version ${version}, this program speaks ${LINK_VERSION}`,
      {
        facts: { version },
        hint: 'update the older of the two programs',
      },
    );
  }
  if (isObject(body.error)) return { error: refusalOf(body.error) };
  if (body.asks === true) return { asks: true, proof: proofOf(body.proof, 'the host') };
  const { link, fresh, window, once, ledger, kept, as } = body;
  if (ledger !== undefined && !isId(ledger)) throw malformed('the host', 'ledger');
  if (!isId(link)) throw malformed('the host', 'link');
  if (typeof fresh !== 'boolean') throw malformed('the host', 'fresh');
  const welcome = {
    link,
    fresh,
    got: count(body.got, 'the host'),
    by: claim(body.by),
    proof: proofOf(body.proof, 'the host'),
  };
  return {
    ...welcome,
    window: window === undefined ? 0 : count(window, 'the host'),
    ...(once !== undefined && { once: Math.min(count(once, 'the host'), MAX_ONCE_S) }),
    ...(ledger !== undefined && { ledger }),
    ...(typeof kept === 'boolean' && { kept }),
    ...(typeof as === 'string' && { as: printable(as, MAX_AS_CHARS) }),
  };
}

/** A code and a sentence from a peer, made safe to show. */
export function readReason(body: unknown, fallbackCode: string): { code: string; reason: string } {
  const { code, reason } = isObject(body) ? body : {};
  return {
    code: typeof code === 'string' && CODE.test(code) ? code : fallbackCode,
    reason: typeof reason === 'string' ? printable(reason, MAX_REASON_CHARS) : '',
  };
}

function refusalOf(body: Record<string, unknown>): Refusal {
  const { retryMs } = body;
  const told = readReason(body, 'link_refused');
  if (typeof retryMs !== 'number' || !(retryMs >= 0)) return told;
  return { ...told, retryMs: Math.min(retryMs, MAX_RETRY_MS) };
}

function line(body: object): string {
  return `${LINK_PREFIX}${LINK_VERSION} ${JSON.stringify(body)}\n`;
}

function split(bytes: Buffer, who: string): { version: number; body: Record<string, unknown> } {
  const [, version, json] = LINE.exec(bytes.toString('utf8')) ?? [];
  if (version === undefined || json === undefined) throw notLink(who);
  const body = jsonOf(json);
  if (!isObject(body)) throw notLink(who);
  return { version: Number(version), body };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function count(value: unknown, who: string): number {
  if (value === undefined) return 0;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw malformed(who, 'number');
}

function proofOf(value: unknown, who: string): PeerProof | null {
  if (value === undefined || value === null) return null;
  if (!isObject(value)) throw malformed(who, 'proof');
  return value;
}

function claim(value: unknown): string {
  return typeof value === 'string' ? printable(value, MAX_BY_CHARS) : 'unknown';
}

function printable(text: string, maxChars: number): string {
  return text.slice(0, maxChars).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && ID.test(value);
}

function isInstance(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_VIA_CHARS;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function notLink(who: string): RelayError {
  return new RelayError('link_protocol', `${who} sent a first line that is no link preamble`);
}

function malformed(who: string, field: string): RelayError {
  return new RelayError('link_protocol', `${who} sent a link preamble whose ${field} is malformed`);
}
