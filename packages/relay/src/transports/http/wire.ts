// Words of MCP over HTTP that client and server share: header names, media types, sizes and times.
// Source: specification 2025-11-25 basic/transports, 2024-11-05 basic/transports (HTTP with SSE), RFC 9110.

export const SESSION_HEADER = 'mcp-session-id';
export const VERSION_HEADER = 'mcp-protocol-version';
export const LAST_EVENT_HEADER = 'last-event-id';

export const JSON_TYPE = 'application/json';
export const EVENTS_TYPE = 'text/event-stream';

/** From this revision on a client understands an event without data, and so can be told an id before the first message
 *  (SEP-1699). Older SDKs fail to parse the empty data. */
export const PRIMED_VERSION = '2025-11-25';

/** Request and response headers, all together. Node's default is 16 KiB; bearer tokens of large identity providers and
 *  cookies of proxies in front of a server come close to that. */
export const HEADER_BYTES = 32 * 1024;
/** From accept (or a request's first byte) to whole headers. */
export const HEADERS_MS = 10_000;
/** Silence inside a body. */
export const BODY_IDLE_MS = 30_000;

export interface HttpLog {
  debug(fields: object, event: string): void;
  info(fields: object, event: string): void;
  warn(fields: object, event: string): void;
}

export const SILENT: HttpLog = { debug() {}, info() {}, warn() {} };

/** `text/html; charset=utf-8` -> `text/html`; '' when there is none. */
export function mediaType(header: string | undefined): string {
  return (header ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

/** Whether an Accept header admits a media type; a range with `q=0` does not. */
export function accepts(header: string, type: string): boolean {
  const [main] = type.split('/', 1);
  return header.split(',').some((range) => {
    const [name, ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    if (parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))) return false;
    return name === type || name === '*/*' || name === `${main}/*`;
  });
}

/** What may stand in a header again: visible ASCII, as the specification wants of session ids, and not endless. */
export function isVisibleAscii(text: string): boolean {
  return /^[\x21-\x7e]{1,1024}$/.test(text);
}
