// The headers that mirror a modern request's body, so that what stands between can route without parsing: made on our
// requests, checked on those that come in (specification 2026-07-28, streamable-http "Request Metadata").

import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import { asString, type JsonObject, META, metaOf, objectOf } from '../../eras/envelope.ts';
import { ExactNumber } from '../../json-exact.ts';
import { VERSION_HEADER } from './wire.ts';

export const METHOD_HEADER = 'mcp-method';
export const NAME_HEADER = 'mcp-name';
export const PARAM_PREFIX = 'mcp-param-';

/** The member of params that `Mcp-Name` mirrors. Task methods: SEP-2663. */
const NAMED_BY: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
};

const PREFIX = '=?base64?';
const SUFFIX = '?=';
/** Header fields of one tool; more is no tool anybody calls. */
export const MAX_PARAMS = 64;

/** One parameter of a tool that goes into a header as well. */
export interface ParamHeader {
  /** Lower case, with the prefix. */
  readonly header: string;
  readonly path: readonly string[];
}

export function modernHeaders(
  method: string,
  params: JsonObject,
  declared: readonly ParamHeader[],
): Record<string, string> {
  const headers: Record<string, string> = { [METHOD_HEADER]: headerValue(method) };
  const version = asString(metaOf(params)[META.version]);
  if (version !== undefined) headers[VERSION_HEADER] = headerValue(version);
  const name = nameOf(method, params);
  if (name !== undefined) headers[NAME_HEADER] = headerValue(name);
  for (const { header, path } of declared) {
    const text = textOf(valueAt(params, path));
    if (text !== undefined) headers[header] = headerValue(text);
  }
  return headers;
}

/** What disagrees, for people; undefined: nothing. The body decides what must be there. */
export function mismatch(
  headers: IncomingHttpHeaders,
  method: string,
  params: JsonObject,
  declared: readonly ParamHeader[],
): string | undefined {
  const version = asString(metaOf(params)[META.version]);
  return (
    differs('MCP-Protocol-Version', one(headers, VERSION_HEADER), version, false) ??
    differs('Mcp-Method', one(headers, METHOD_HEADER), method, false) ??
    differs('Mcp-Name', one(headers, NAME_HEADER), nameOf(method, params), true) ??
    wrongParam(headers, params, declared)
  );
}

function wrongParam(
  headers: IncomingHttpHeaders,
  params: JsonObject,
  declared: readonly ParamHeader[],
): string | undefined {
  for (const { header, path } of declared) {
    const value = valueAt(params, path);
    const wrong = differs(header, one(headers, header), textOf(value), true, typeof value === 'number');
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function differs(
  name: string,
  header: string | undefined,
  body: string | undefined,
  encoded: boolean,
  numeric = false,
): string | undefined {
  if (body === undefined) return undefined;
  if (header === undefined) return `Header mismatch: the required header ${name} is missing`;
  const value = encoded ? decoded(header) : header;
  if (value === undefined) return `Header mismatch: the value of ${name} is not validly encoded`;
  const same = value === body || (numeric && /^-?\d+(\.\d+)?$/.test(value) && Number(value) === Number(body));
  return same ? undefined : `Header mismatch: ${name} is not what the body says`;
}

function nameOf(method: string, params: JsonObject): string | undefined {
  const member = Object.hasOwn(NAMED_BY, method) ? NAMED_BY[method] : undefined;
  return member === undefined ? undefined : asString(params[member]);
}

function one(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return (Array.isArray(value) ? value.join(', ') : value)?.replace(/^[ \t]+|[ \t]+$/g, '');
}

function valueAt(params: JsonObject, path: readonly string[]): unknown {
  let value: unknown = params.arguments;
  for (const key of path) value = Object.hasOwn(objectOf(value), key) ? objectOf(value)[key] : undefined;
  return value;
}

function textOf(value: unknown): string | undefined {
  if (value instanceof ExactNumber) return value.text;
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined;
}

/** As it is where a header can carry it, else in Base64 between marks. */
export function headerValue(text: string): string {
  const plain = /^[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?$/.test(text);
  const marked = text.startsWith(PREFIX) && text.endsWith(SUFFIX);
  return plain && !marked ? text : `${PREFIX}${Buffer.from(text, 'utf8').toString('base64')}${SUFFIX}`;
}

function decoded(value: string): string | undefined {
  if (!value.startsWith(PREFIX) || !value.endsWith(SUFFIX)) return /^[\x20-\x7e\t]*$/.test(value) ? value : undefined;
  const text = value.slice(PREFIX.length, value.length - SUFFIX.length);
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64');
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined;
}
