// Lines become messages here, and values become messages: the only makers of Message and of most Faults.
// In: ./transports and ./link hand over lines; out: bytes that are one line of JSON-RPC 2.0, byte-equal to what came.
// Invariant: every Message has passed one scan (grammar, UTF-8, depth, tokens) or was written by JSON.stringify.

import { RPC_ERRORS, type RpcErrorName } from './errors.ts';
import { parseExact, RawJson, stringifyExact } from './json-exact.ts';
import { GLIMPSE_BYTES, type Glimpse, glimpseEnds, idText, type LineEnds } from './json-peek.ts';
import { MEMBER, type Scan, type ScanLimits, scan } from './json-scan.ts';
import type { Fault, FaultCode, Message } from './message.ts';

/** A line that was too long to keep: both ends and its size. */
export interface LongLine extends LineEnds {
  readonly bytes: number;
}

/** A message as a value. Members it does not name are carried too. */
export interface JsonRpcValue {
  readonly jsonrpc: '2.0';
  readonly id?: string | number | RawJson | null;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

/** Longer method names are nobody's; they end up in logs, maps and errors. */
export const MAX_METHOD_BYTES = 1024;
const PREVIEW_CHARACTERS = 200;
/** How every message of ours with an id begins. */
const BEFORE_ID = '{"jsonrpc":"2.0","id":';
const OPEN_OBJECT = 0x7b;
const OPEN_ARRAY = 0x5b;
const QUOTE = 0x22;
/** For what has passed the limits once. */
const UNLIMITED = { jsonDepth: Number.MAX_SAFE_INTEGER, jsonTokens: Number.MAX_SAFE_INTEGER };
const VERSION = Buffer.from('"2.0"');
const LINE_FEED = 0x0a;
const RETURN = 0x0d;

/** Judges a line (or a whole HTTP body). `call` is the number that came in front of it on a link. Keeps `line`, copies nothing. */
export function readMessage(line: Buffer, limits: ScanLimits, call?: number): Message | Fault {
  const found = scan(line, limits);
  if (found.fault !== undefined) return brokenLine(line, found);
  if (found.top === OPEN_ARRAY) return faultOf(line, 'batch', { id: undefined, kind: 'unknown' });
  if (found.top !== OPEN_OBJECT) return faultOf(line, 'not_json_rpc', { id: undefined, kind: 'unknown' });
  const id = idText(line, found);
  const kind = judge(line, found, id);
  const method = kind === undefined || kind === 'response' ? undefined : methodOf(line, found);
  if (kind === undefined || (kind !== 'response' && method === undefined)) {
    return faultOf(line, 'not_json_rpc', { id, kind: guess(found, id) });
  }
  // What one judges must be what the other reads, and no two readers agree on these (decisions/063).
  if (found.infinite) return faultOf(line, 'number_too_large', { id: finiteId(id), kind });
  const bytes = found.breaks ? withoutBreaks(line) : line;
  const shownId = kind === 'response' ? (id ?? 'null') : id;
  const { inexact } = found;
  const idAt = id === undefined ? -1 : found.idStart;
  return call === undefined
    ? { kind, id: shownId, method, bytes, inexact, idAt }
    : { kind, id: shownId, method, bytes, inexact, idAt, call };
}

/** An id that is itself such a number is not said again. */
function finiteId(id: string | undefined): string | undefined {
  return id === undefined || id.startsWith('"') || Number.isFinite(Number(id)) ? id : undefined;
}

export function isFault(read: Message | Fault): read is Fault {
  return 'code' in read;
}

/** The Fault of a line that was skipped for its length. */
export function longLineFault(line: LongLine): Fault {
  return { code: 'message_too_large', ...glimpseEnds(line), bytes: line.bytes, preview: previewOf(line.head) };
}

/** What a message says. Numbers that a double cannot carry are ExactNumber; an id that would be written differently is
 *  RawJson; `__proto__` is a member like any other. */
export function parseMessage(message: Message): JsonRpcValue {
  const text = message.bytes.toString('utf8');
  const value = (message.inexact === true ? parseExact(text) : JSON.parse(text)) as JsonRpcValue;
  if (message.id === undefined || value.id === undefined || JSON.stringify(value.id) === message.id) return value;
  return { ...value, id: rawId(message.id) };
}

/** Writes a value once. What is no message is our own mistake, hence a TypeError. */
export function toMessage(value: JsonRpcValue, call?: number): Message {
  const { id, method } = value;
  const answers = value.result !== undefined || value.error !== undefined;
  if (answers === (method !== undefined) || (answers && id === undefined && value.error === undefined)) {
    throw new TypeError('a JSON-RPC message has either a method, or an id with a result or an error');
  }
  const before = RawJson.written;
  const idText = id instanceof RawJson ? id.text : id === undefined ? undefined : JSON.stringify(id);
  const members: string[] = [];
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue;
    members.push(`${JSON.stringify(key)}:${key === 'id' ? idText : stringifyExact(member)}`);
  }
  const message = {
    kind: answers ? 'response' : idText === undefined ? 'notification' : 'request',
    id: idText ?? (answers ? 'null' : undefined),
    method,
    bytes: Buffer.from(`{${members.join(',')}}`),
    inexact: RawJson.written !== before,
  } as const;
  return call === undefined ? message : { ...message, call };
}

/** Writes an id exactly as it came: value, type and spelling. */
export function rawId(text: string): RawJson {
  return new RawJson(text);
}

export function requestMessage(id: string, method: string, params?: unknown, call?: number): Message {
  const before = RawJson.written;
  const text = `${BEFORE_ID}${onOneLine(id)},"method":${JSON.stringify(method)}${withParams(params)}}`;
  const inexact = RawJson.written !== before;
  const message = { kind: 'request', id, method, bytes: Buffer.from(text), inexact, idAt: BEFORE_ID.length } as const;
  return call === undefined ? message : { ...message, call };
}

export function notificationMessage(method: string, params?: unknown): Message {
  const before = RawJson.written;
  const bytes = Buffer.from(`{"jsonrpc":"2.0","method":${JSON.stringify(method)}${withParams(params)}}`);
  return { kind: 'notification', id: undefined, method, bytes, inexact: RawJson.written !== before, idAt: -1 };
}

export function resultMessage(id: string, result: unknown): Message {
  return response(id, 'result', result);
}

/** An error of our own making (./errors.ts). `id` is raw text, 'null' where it could not be read. */
export function errorMessage(
  id: string,
  name: RpcErrorName,
  text: string,
  data?: Readonly<Record<string, unknown>>,
): Message {
  const message = response(id, 'error', { code: RPC_ERRORS[name], message: text, data: { error: name, ...data } });
  return { ...message, ours: name };
}

/** The same message under another id: the other bytes are copied, nothing is parsed. */
export function withId(message: Message, id: string): Message {
  if (message.id === undefined || message.id === id) return message;
  const idAt = message.idAt ?? findId(message.bytes);
  // An error whose request could not be read may have no id, or null.
  if (idAt < 0) return toMessage({ ...parseMessage(message), id: rawId(id) }, message.call);
  const { bytes } = message;
  const end = idAt + Buffer.byteLength(message.id);
  const length = Buffer.byteLength(onOneLine(id));
  const copy = Buffer.allocUnsafe(idAt + length + bytes.length - end);
  bytes.copy(copy, 0, 0, idAt);
  copy.write(id, idAt);
  bytes.copy(copy, idAt + length, end);
  return { ...message, id, idAt, bytes: copy };
}

function findId(bytes: Buffer): number {
  const { idStart, idEnd } = scan(bytes, UNLIMITED);
  return idEnd === 0 || bytes[idStart] === 0x6e ? -1 : idStart;
}

function response(id: string, member: 'result' | 'error', value: unknown): Message {
  const before = RawJson.written;
  const bytes = Buffer.from(`${BEFORE_ID}${onOneLine(id)},"${member}":${stringifyExact(value)}}`);
  const inexact = RawJson.written !== before;
  return { kind: 'response', id, method: undefined, bytes, inexact, idAt: BEFORE_ID.length };
}

function withParams(params: unknown): string {
  return params === undefined ? '' : `,"params":${stringifyExact(params)}`;
}

/** JSON.stringify writes no line breaks; only raw text of ours could. */
function onOneLine(id: string): string {
  if (/[\n\r]/.test(id)) throw new TypeError('the raw text of an id must stand on one line');
  return id;
}

/** undefined: valid JSON, but no JSON-RPC 2.0 that every reader would understand alike. */
function judge(line: Buffer, found: Scan, id: string | undefined): Message['kind'] | undefined {
  const { keys } = found;
  if (found.twice || (keys & MEMBER.jsonrpc) === 0 || !isVersion(line, found)) return undefined;
  const hasId = (keys & MEMBER.id) !== 0;
  if ((keys & MEMBER.method) !== 0) {
    if ((keys & (MEMBER.result | MEMBER.error)) !== 0 || (hasId && id === undefined)) return undefined;
    // `null` instead of nothing is what some encoders write for an empty pointer.
    const lawful = (keys & MEMBER.params) === 0 || [OPEN_OBJECT, OPEN_ARRAY, 0x6e].includes(found.params);
    if (!lawful) return undefined;
    return hasId ? 'request' : 'notification';
  }
  if ((keys & MEMBER.result) !== 0) return (keys & MEMBER.error) === 0 && id !== undefined ? 'response' : undefined;
  if ((keys & MEMBER.error) === 0 || found.error !== OPEN_OBJECT) return undefined;
  // An error may answer a request whose id nobody could read: id null, or none (MCP 2025-11-25, JSONRPCErrorResponse).
  return id !== undefined || !hasId || line[found.idStart] === 0x6e ? 'response' : undefined;
}

function guess(found: Scan, id: string | undefined): Fault['kind'] {
  if ((found.keys & (MEMBER.result | MEMBER.error)) !== 0) return 'response';
  if ((found.keys & MEMBER.method) === 0) return 'unknown';
  if ((found.keys & MEMBER.id) === 0) return 'notification';
  return id === undefined ? 'unknown' : 'request';
}

function isVersion(line: Buffer, { versionStart, versionEnd }: Scan): boolean {
  if (versionEnd - versionStart !== VERSION.length) {
    // Escapes mean the same, for all their length.
    const text = line.toString('latin1', versionStart, Math.min(versionEnd, versionStart + 6 * VERSION.length));
    return versionEnd - versionStart === text.length && JSON.parse(text) === '2.0';
  }
  for (let at = 0; at < VERSION.length; at++) if (line[versionStart + at] !== VERSION[at]) return false;
  return true;
}

function methodOf(line: Buffer, { methodStart, methodEnd }: Scan): string | undefined {
  if (line[methodStart] !== QUOTE || methodEnd - methodStart > MAX_METHOD_BYTES) return undefined;
  const text = line.toString('utf8', methodStart + 1, methodEnd - 1);
  return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
}

/** Line breaks can only stand between tokens; as blanks they mean the same. A lone `\r` splits lines in Python. */
function withoutBreaks(line: Buffer): Buffer {
  let end = line.length;
  while (end > 0 && (line[end - 1] === RETURN || line[end - 1] === LINE_FEED)) end--;
  const bytes = line.subarray(0, end);
  if (!bytes.includes(LINE_FEED) && !bytes.includes(RETURN)) return bytes;
  return Buffer.from(bytes.map((byte) => (byte === LINE_FEED || byte === RETURN ? 0x20 : byte)));
}

function brokenLine(line: Buffer, found: Scan): Fault {
  const code = found.fault ?? 'not_json';
  const head = line.subarray(0, GLIMPSE_BYTES);
  // The end of what is no JSON tells nothing.
  const tail = code === 'not_json' ? Buffer.alloc(0) : line.subarray(-GLIMPSE_BYTES);
  return faultOf(line, code, glimpseEnds({ head, tail }));
}

function faultOf(line: Buffer, code: FaultCode, { id, kind }: Glimpse): Fault {
  return { code, id, kind, bytes: line.length, preview: previewOf(line) };
}

function previewOf(line: Buffer): string {
  // At most four bytes make a character.
  const text = line.toString('utf8', 0, PREVIEW_CHARACTERS * 4).replace(UNSHOWN, '.');
  return [...text.slice(0, PREVIEW_CHARACTERS * 2)].slice(0, PREVIEW_CHARACTERS).join('');
}

/** Control characters, line separators, and what turns the reading direction or hides. */
const UNSHOWN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
