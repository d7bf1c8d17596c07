// Output: a POST to a URL of this machine, or over the overlay to a share. No redirect is followed, no name is looked up
// that could lead elsewhere, nothing of the answer is kept but its status.

import { type RequestOptions, request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import type { Duplex } from 'node:stream';
import type { Send } from './deliver.ts';

export type WebhookTarget =
  | { readonly url: string }
  | { readonly share: string; dial(share: string, signal: AbortSignal): Promise<Duplex> };

/** `localhost` is what this machine's own table says it is; here it is the loopback address and nothing else. */
const LOOPBACK = '127.0.0.1';

export function webhookOutput(target: WebhookTarget, timeoutMs: number): Send {
  return async (text, ending) => {
    const signal = AbortSignal.any([ending, AbortSignal.timeout(timeoutMs)]);
    const status = await post(target, text, signal).catch((error: NodeJS.ErrnoException) => {
      if (ending.aborted) throw new Error('the gateway is ending');
      if (signal.aborted) throw new Error(`the webhook took longer than ${timeoutMs} ms`);
      throw new Error(`the webhook cannot be reached (${error.code ?? error.message})`);
    });
    if (status >= 300 && status < 400) throw new Error(`the webhook answers ${status}, and redirects are not followed`);
    if (status >= 400) throw new Error(`the webhook answers ${status}`);
  };
}

async function post(target: WebhookTarget, text: string, signal: AbortSignal): Promise<number> {
  const body = Buffer.from(text);
  const headers = { 'content-type': 'application/json', 'content-length': body.length, connection: 'close' };
  const common = { method: 'POST', headers, signal } as const;
  if ('url' in target)
    return exchange(new URL(target.url), { ...common, agent: false, ...addressOf(target.url) }, body);
  const connection = await target.dial(target.share, signal);
  try {
    // An agent would open a connection of its own.
    const options = { ...common, createConnection: () => connection as never };
    return await exchange(new URL(`http://${target.share}/`), options, body);
  } finally {
    connection.destroy();
  }
}

function addressOf(url: string): RequestOptions {
  const { hostname } = new URL(url);
  if (hostname === 'localhost' || hostname.endsWith('.localhost')) return { hostname: LOOPBACK, family: 4 };
  return { hostname: hostname.replace(/^\[(.*)\]$/, '$1') };
}

function exchange(url: URL, options: RequestOptions, body: Buffer): Promise<number> {
  const send = url.protocol === 'https:' ? requestTls : requestPlain;
  return new Promise((resolve, reject) => {
    const request = send(url, options, (response) => {
      resolve(response.statusCode ?? 500);
      response.destroy();
    });
    request.on('error', reject);
    request.end(body);
  });
}
