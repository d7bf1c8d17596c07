// fetch over a Unix socket, for clients that take a fetch of their own: what `curl --unix-socket` is for a person.

import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { Readable } from 'node:stream';

const NO_BODY = new Set([204, 205, 304]);

export function socketFetch(socketPath: string): typeof fetch {
  return async (input, init) => {
    const wanted = new Request(input, init);
    const { method, signal } = wanted;
    const url = new URL(wanted.url);
    const headers = Object.fromEntries(wanted.headers);
    const body = Buffer.from(await wanted.arrayBuffer());
    const out = request({ socketPath, method, signal, path: url.pathname + url.search, headers });
    out.end(body);
    const [response] = (await once(out, 'response')) as [IncomingMessage];
    // A stream that the client gave up is no error of anybody.
    response.on('error', () => {});
    const status = response.statusCode ?? 500;
    const said = response.rawHeaders.flatMap((name, at, all) =>
      at % 2 === 0 ? [[name, all[at + 1] ?? ''] as const] : [],
    );
    const stream = NO_BODY.has(status) ? null : (Readable.toWeb(response) as ReadableStream);
    return new Response(stream, { status, headers: said.map(([name, value]) => [name, value] as [string, string]) });
  };
}
