// What each request of the modern era carries in its `_meta` instead of a session: version, who the client is, what it can
// do (specification 2026-07-28, basic "_meta"). Read, checked, taken off and put on here and nowhere else.

import { RPC_ERRORS } from '../errors.ts';
import { RawJson } from '../json-exact.ts';
import { parseMessage, rawId, resultMessage } from '../json-rpc.ts';
import type { Message } from '../message.ts';

export type Era = 'legacy' | 'modern';
export type JsonObject = Readonly<Record<string, unknown>>;

/** Newest first. */
export const MODERN_VERSIONS: readonly string[] = ['2026-07-28'];
export const LATEST_MODERN_VERSION = '2026-07-28';

export const META = {
  version: 'io.modelcontextprotocol/protocolVersion',
  clientInfo: 'io.modelcontextprotocol/clientInfo',
  clientCapabilities: 'io.modelcontextprotocol/clientCapabilities',
  logLevel: 'io.modelcontextprotocol/logLevel',
  subscription: 'io.modelcontextprotocol/subscriptionId',
  serverInfo: 'io.modelcontextprotocol/serverInfo',
} as const;

/** As it stands in the bytes of a message; nobody escapes these characters. */
const CLAIM = Buffer.from(`"${META.version}"`);

export const CODES = { headerMismatch: -32020, missingCapability: -32021, unsupportedVersion: -32022 } as const;

export interface RpcErrorValue {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

/** Without parsing: whether a message may claim the modern era. A legacy argument may contain the same words. */
export function mayClaimModern(message: Message): boolean {
  return message.bytes.includes(CLAIM);
}

/** Whether it does. */
export function claimsModern(message: Message): boolean {
  return mayClaimModern(message) && metaOf(paramsOf(message))[META.version] !== undefined;
}

export function paramsOf(message: Message): JsonObject {
  return objectOf((parseMessage(message) as { params?: unknown }).params);
}

export function resultOf(message: Message): JsonObject | undefined {
  return asObject((parseMessage(message) as { result?: unknown }).result);
}

export function errorOf(message: Message): RpcErrorValue | undefined {
  const error = asObject((parseMessage(message) as { error?: unknown }).error);
  return error === undefined ? undefined : (error as unknown as RpcErrorValue);
}

export function metaOf(params: JsonObject): JsonObject {
  return objectOf(params._meta);
}

/** What is wrong with the envelope of a modern request, as the error to answer it with. */
export function refuseEnvelope(params: JsonObject): RpcErrorValue | undefined {
  const meta = asObject(params._meta);
  if (meta === undefined) return invalid('params._meta is missing');
  const version = meta[META.version];
  if (typeof version !== 'string') return invalid(`_meta["${META.version}"] is missing`);
  if (asObject(meta[META.clientCapabilities]) === undefined) {
    return invalid(`_meta["${META.clientCapabilities}"] is missing`);
  }
  return MODERN_VERSIONS.includes(version) ? undefined : unsupportedVersion(version);
}

export function unsupportedVersion(requested: string): RpcErrorValue {
  const data = { supported: [...MODERN_VERSIONS], requested };
  return { code: CODES.unsupportedVersion, message: 'Unsupported protocol version', data };
}

export function missingCapability(what: string, requiredCapabilities: JsonObject): RpcErrorValue {
  const message = `Missing required client capability: ${what}`;
  return { code: CODES.missingCapability, message, data: { requiredCapabilities } };
}

function invalid(problem: string): RpcErrorValue {
  return { code: RPC_ERRORS.invalid_params, message: `Invalid params: ${problem}` };
}

/** A client as its envelope tells it. */
export interface ClientEnvelope {
  readonly capabilities: JsonObject;
  readonly clientInfo: JsonObject | undefined;
}

export function envelopeOf(params: JsonObject): ClientEnvelope {
  const meta = metaOf(params);
  return {
    capabilities: objectOf(meta[META.clientCapabilities]),
    clientInfo: asObject(meta[META.clientInfo]),
  };
}

/** Params of a request to a modern server on behalf of this client. */
export function withEnvelope(
  params: JsonObject,
  { capabilities, clientInfo }: ClientEnvelope,
  more?: JsonObject,
): JsonObject {
  const _meta = {
    ...metaOf(params),
    [META.version]: LATEST_MODERN_VERSION,
    ...(clientInfo === undefined ? {} : { [META.clientInfo]: clientInfo }),
    [META.clientCapabilities]: capabilities,
    ...more,
  };
  return { ...params, _meta };
}

const ENVELOPE_KEYS: ReadonlySet<string> = new Set([
  META.version,
  META.clientInfo,
  META.clientCapabilities,
  META.logLevel,
]);

/** Params of the same request to a legacy server: what it knows nothing of is taken off, all else stays. */
export function withoutEnvelope(params: JsonObject): JsonObject {
  const { _meta, ...rest } = params;
  if (asObject(_meta) === undefined) return params;
  const kept = Object.entries(objectOf(_meta)).filter(([key]) => !ENVELOPE_KEYS.has(key));
  return kept.length === 0 ? rest : { ...rest, _meta: Object.fromEntries(kept) };
}

/** The graceful end of a subscription (patterns/subscriptions "Graceful Closure"). `id` is the raw text of its request's. */
export function endOfListen(id: string): Message {
  return resultMessage(id, { resultType: 'complete', _meta: { [META.subscription]: rawId(id) } });
}

/** The same text for the same value, whatever the order of members: a key for maps and digests. */
export function canonical(value: unknown): string {
  if (value instanceof RawJson) return value.text;
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const object = asObject(value);
  if (object === undefined || 'toJSON' in object) return JSON.stringify(value) ?? 'null';
  const members = Object.keys(object)
    .filter((key) => object[key] !== undefined)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(object[key])}`);
  return `{${members.join(',')}}`;
}

export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

export function objectOf(value: unknown): JsonObject {
  return asObject(value) ?? {};
}

export function asString(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export function arrayOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
