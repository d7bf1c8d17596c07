// Answers as the real controller gives them: which have a body, of which type, and which close the connection instead.

import type { ServerResponse } from 'node:http';

export interface Answer {
  readonly status: number;
  /** undefined: an empty body. A string is a JSON string, as in Go's `errorMessage`. */
  readonly body?: unknown;
  /** What the framework says by itself is plain JSON; handlers answer in zrok's own type. */
  readonly plain?: boolean;
}

export const ZROK_TYPE = 'application/zrok.v1+json';

export const ok = (body?: unknown): Answer => ({ status: 200, body });
export const created = (body: unknown): Answer => ({ status: 201, body });
/** Handlers refuse without a word. */
export const silent = (status: number): Answer => ({ status });
/** Responses that have a schema but no payload are an empty JSON string. */
export const emptyText = (status: number): Answer => ({ status, body: '' });
export const text = (status: number, body: string): Answer => ({ status, body });
/** What go-openapi answers before a handler is asked. */
export const framework = (status: number, message: string, code = status): Answer => ({
  status,
  body: { code, message },
  plain: true,
});

export function send(response: ServerResponse, { status, body, plain }: Answer): void {
  if (body === undefined) {
    response.writeHead(status, { 'content-length': 0 }).end();
    return;
  }
  // Go's encoder ends with a newline; the framework's own errors do not.
  const sent = plain ? JSON.stringify(body) : `${JSON.stringify(body)}\n`;
  response
    .writeHead(status, {
      'content-type': plain ? 'application/json' : ZROK_TYPE,
      'content-length': Buffer.byteLength(sent),
    })
    .end(sent);
}
