// One request to a zrok controller and its answer, as they are: no retries, no redirects, bounded in time and size.
// The media type is zrok's own in both directions: with `application/json` a real controller answers 500, or hangs up
// (openziti/zrok specs/src/head.yml). Bodies may be empty, a JSON string, or an object, whatever the status.

import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { OverlayError } from '../errors.ts';
import { CALL_MS, MAX_ANSWER_BYTES } from './limits.ts';

export interface RestRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below `/api/v2`. */
  readonly path: string;
  readonly body?: object;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface RestAnswer {
  readonly status: number;
  /** Parsed; undefined when empty or not JSON. */
  readonly body: unknown;
}

export type Rest = (request: RestRequest) => Promise<RestAnswer>;

export const MEDIA_TYPE = 'application/zrok.v1+json';
const BASE_PATH = '/api/v2';

/** Rejects `network_unreachable`, `controller_failed`, `dial_aborted`. `accountToken`: none for what anybody may ask. */
export function zrokRest(apiEndpoint: string, accountToken?: string): Rest {
  return async ({ method, path, body, timeoutMs = CALL_MS, signal }) => {
    const url = new URL(`${BASE_PATH}${path}`, apiEndpoint);
    const sent = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const stop = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])]);
    try {
      const way = await wayTo(url, stop);
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
          ...way,
          method,
          signal: stop,
          headers: {
            accept: MEDIA_TYPE,
            ...(accountToken === undefined ? {} : { 'x-token': accountToken }),
            ...(sent === undefined ? {} : { 'content-type': MEDIA_TYPE, 'content-length': sent.length }),
          },
        });
        request.on('response', resolve).on('error', reject).end(sent);
      });
      return { status: response.statusCode ?? 0, body: parsed(await bodyOf(response, apiEndpoint)) };
    } catch (error) {
      throw failure(error, { apiEndpoint, call: `${method} ${url.pathname}`, timeoutMs, late: stop.aborted, signal });
    }
  };
}

/** One connection a request: calls are rare, and a kept one would hold the program open at its end. */
async function wayTo(url: URL, signal: AbortSignal): Promise<{ agent: false } | { createConnection: () => Duplex }> {
  const { HTTPS_PROXY: proxy, https_proxy: lower } = process.env;
  if (url.protocol !== 'https:' || !(proxy || lower)) return { agent: false };
  const { proxied } = await import('./proxied.ts');
  const connection = await proxied(url, signal);
  return connection ? { createConnection: () => connection } : { agent: false };
}

async function bodyOf(response: IncomingMessage, apiEndpoint: string): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) {
      throw new OverlayError(
        'controller_failed',
        `the zrok controller ${apiEndpoint} answered with more than ${MAX_ANSWER_BYTES} bytes`,
        { hint: 'is this a zrok controller? see api_endpoint in ~/.zrok2/environment.json, or ZROK2_API_ENDPOINT' },
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function failure(
  error: unknown,
  about: { apiEndpoint: string; call: string; timeoutMs: number; late: boolean; signal: AbortSignal | undefined },
): OverlayError {
  if (error instanceof OverlayError) return error;
  const { apiEndpoint, call, timeoutMs, late, signal } = about;
  if (signal?.aborted) return new OverlayError('dial_aborted', `${call} was given up by its caller`, { cause: error });
  const { code = '', message } = error as NodeJS.ErrnoException;
  const why = late ? `no answer to ${call} within ${timeoutMs} ms` : reason(code, message);
  return new OverlayError('network_unreachable', `the zrok controller ${apiEndpoint} cannot be reached: ${why}`, {
    hint: hintFor(code),
    cause: error,
  });
}

function reason(code: string, message: string): string {
  if (code === 'ECONNREFUSED') return 'nobody listens there';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'its name cannot be resolved';
  if (code === 'ECONNRESET') return 'it closed the connection without an answer';
  return message;
}

function hintFor(code: string): string {
  if (code === 'EPROTO' || code === 'ERR_SSL_WRONG_VERSION_NUMBER') {
    return 'it may speak http where https was configured: see api_endpoint in ~/.zrok2/environment.json';
  }
  if (/CERT|SIGNED|SIGNATURE|ISSUER/.test(code)) {
    return 'its certificate is not trusted here; NODE_EXTRA_CA_CERTS=FILE adds a CA of your own';
  }
  return 'is the network there, and the controller running? --overlay local does without';
}
