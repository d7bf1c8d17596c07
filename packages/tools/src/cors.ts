// What a browser wants to read before it lets the page of an allowed origin use the door (Fetch standard, CORS protocol).
// The guard has checked Host and Origin before; a page of any other origin gets none of these headers.

import type { IncomingMessage, ServerResponse } from 'node:http';

/** MCP's own headers, which a page may read. */
const EXPOSED = 'mcp-session-id, mcp-protocol-version';
/** MCP's own headers, and those of every request. */
const ALLOWED =
  'accept, authorization, content-type, last-event-id, mcp-session-id, mcp-protocol-version, mcp-method, mcp-name';
const MAX_AGE_S = '600';
/** Headers that mirror parameters of tools (specification 2026-07-28): their names are the servers'. */
const PARAM = /^mcp-param-[!#$%&'*+.^_`|~0-9a-z-]{1,128}$/;
const MAX_PARAMS = 64;

/** true: it was a preflight, and is answered. */
export function answerCors(request: IncomingMessage, response: ServerResponse): boolean {
  const { origin } = request.headers;
  if (origin === undefined) return false;
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('access-control-expose-headers', EXPOSED);
  response.setHeader('vary', 'origin');
  if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) return false;
  response
    .writeHead(204, {
      'access-control-allow-methods': 'GET, POST, DELETE',
      'access-control-allow-headers': [ALLOWED, ...paramsIn(request)].join(', '),
      'access-control-allow-private-network': 'true',
      'access-control-max-age': MAX_AGE_S,
    })
    .end();
  return true;
}

function paramsIn(request: IncomingMessage): string[] {
  const asked = request.headers['access-control-request-headers'] ?? '';
  const names = asked.split(',').map((name) => name.trim().toLowerCase());
  return names.filter((name) => PARAM.test(name)).slice(0, MAX_PARAMS);
}
