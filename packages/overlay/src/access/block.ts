// One block of a token: what it says, and the signature that ties it to the block before. The first is the gateway's, each
// further one narrows. A block names the key that the next one has to be signed with, and that whoever uses the token has
// to have. Reading one is reading a stranger's: every member is checked, one that is not known refuses the token.
//
//   signed bytes = "mcp-access/1" ‖ SHA-256 of the signed bytes before (the first: nothing) ‖ payload

import { createHash, type KeyObject, sign, verify } from 'node:crypto';
import { ACCESS_LIMITS } from '../limits.ts';
import type { Restriction } from '../proof/principal.ts';
import { fromBase64Url, lengthPrefixed } from './bytes.ts';
import { isKeyBytes, publicBytes, publicKey } from './keys.ts';
import { malformed, readRestriction, roleRefusal, tooLarge, unknownRestriction } from './restriction.ts';

/** As it travels: the payload's text, byte for byte what was signed, and the signature in base64url. */
export type SealedBlock = readonly [payload: string, signature: string];

export interface Block {
  /** Its place, from 0: a block that was moved or whose neighbour was taken out shows. */
  readonly at: number;
  /** Seconds since the epoch. */
  readonly from?: number;
  readonly until?: number;
  readonly only?: Restriction;
  /** Of the holder, or a fresh one whose private part travels with the token. */
  readonly key: KeyObject;
}

/** What only the gateway says. */
export interface RootBlock extends Block {
  readonly at: 0;
  readonly network: string;
  readonly share: string;
  readonly name: string;
  /** Two tokens of the same words differ. */
  readonly nonce: string;
  readonly from: number;
  readonly until: number;
  /** Absent: what the configuration says of it. */
  readonly roles?: readonly string[];
}

const DOMAIN = 'mcp-access/1';
const COMMON: ReadonlySet<string> = new Set(['at', 'from', 'until', 'only', 'key']);
const OF_ROOT: ReadonlySet<string> = new Set([...COMMON, 'network', 'share', 'name', 'nonce', 'roles']);
const ID_CHARS = 24;
const NONCE = /^[A-Za-z0-9_-]{16,64}$/;
const SHARE = /^[a-zA-Z0-9._-]{1,200}$/;
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

const NOTHING = Buffer.alloc(0);

export function sealBlock(block: Block | RootBlock, before: Buffer | undefined, signer: KeyObject): SealedBlock {
  const payload = JSON.stringify({ ...block, key: publicBytes(block.key).toString('base64url') });
  return [payload, sign(null, signedBytes(payload, before), signer).toString('base64url')];
}

/** Whether this key made it. `before`: the hash of the block before. */
export function isSealedBy([payload, signature]: SealedBlock, before: Buffer | undefined, key: KeyObject): boolean {
  const bytes = fromBase64Url(signature);
  return bytes !== undefined && verify(null, signedBytes(payload, before), key, bytes);
}

/** What the next block is tied to. */
export function hashOf([payload]: SealedBlock, before: Buffer | undefined): Buffer {
  return createHash('sha256').update(signedBytes(payload, before)).digest();
}

/** What a block is called where it is shown and revoked: nobody chooses it. */
export function idOf(hash: Buffer): string {
  return hash.toString('hex').slice(0, ID_CHARS);
}

export function isBlockId(text: string): boolean {
  return /^[0-9a-f]{24}$/.test(text);
}

function signedBytes(payload: string, before: Buffer | undefined): Buffer {
  return lengthPrefixed([DOMAIN, before ?? NOTHING, payload]);
}

/** Throws `access_malformed`, `access_restriction_unknown`, `access_too_large`. */
export function readBlock(payload: string): Block {
  return common(membersOf(payload, COMMON));
}

/** As `readBlock`. */
export function readRoot(payload: string): RootBlock {
  const members = membersOf(payload, OF_ROOT);
  const { at, from, until, ...rest } = common(members);
  const { network, share, name, nonce, roles } = members;
  if (at !== 0 || from === undefined || until === undefined) throw malformed('its first block says no dates');
  if (network !== 'local' && network !== 'ziti') throw malformed('its first block names no network');
  if (typeof share !== 'string' || !SHARE.test(share)) throw malformed('its first block names no share');
  if (typeof nonce !== 'string' || !NONCE.test(nonce)) throw malformed('its first block has no nonce');
  if (typeof name !== 'string' || UNSEEN.test(name)) throw malformed('its name cannot be read');
  if (name.length > ACCESS_LIMITS.nameChars) throw tooLarge('its name is too long');
  return {
    ...rest,
    at,
    from,
    until,
    network,
    share,
    name,
    nonce,
    ...(roles !== undefined && { roles: rolesOf(roles) }),
  };
}

function membersOf(payload: string, known: ReadonlySet<string>): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(payload);
  } catch {
    throw malformed('a block is no JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed('a block is no object');
  for (const member of Object.keys(value)) if (!known.has(member)) throw unknownRestriction(member);
  return value as Record<string, unknown>;
}

function common({ at, from, until, only, key }: Record<string, unknown>): Block {
  if (typeof at !== 'number' || !Number.isSafeInteger(at) || at < 0) throw malformed('a block does not say its place');
  const bytes = fromBase64Url(key);
  if (!isKeyBytes(bytes)) throw malformed('a block names no key');
  return {
    at,
    ...(from !== undefined && { from: seconds(from) }),
    ...(until !== undefined && { until: seconds(until) }),
    ...(only !== undefined && { only: readRestriction(only) }),
    key: publicKey(bytes),
  };
}

function seconds(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw malformed('a date is no whole number of seconds');
}

function rolesOf(value: unknown): readonly string[] {
  const roles = readRestriction({ roles: value }).roles ?? [];
  for (const role of roles) if (roleRefusal(role) !== undefined) throw malformed('a role cannot be read');
  return roles;
}
