// One HTTPS request to a controller of a test network, with or without a client certificate.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { TestIdentity, TestNetwork } from '../../src/testing/index.ts';

export interface Asked {
  /** Whose certificate is shown. */
  readonly as?: Pick<TestIdentity, 'certPem' | 'keyPem'> | undefined;
  readonly session?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object goes as JSON, text as it is. */
  readonly body?: unknown;
  /** Index of the controller. */
  readonly controller?: number;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
  readonly body: any;
}

export async function ask(net: TestNetwork, method: string, path: string, asked: Asked = {}): Promise<Answered> {
  const { as, session, headers = {}, body } = asked;
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  const base = path.startsWith('/oidc') ? '' : '/edge/client/v1';
  const sent = request(`${net.controllers[asked.controller ?? 0]?.url}${base}${path}`, {
    method,
    agent: false,
    ca: net.caPem,
    ...(as ? { key: as.keyPem, cert: as.certPem } : {}),
    headers: {
      ...(typeof body === 'object' ? { 'content-type': 'application/json' } : {}),
      ...(text === '' ? {} : { 'content-length': Buffer.byteLength(text) }),
      ...(session === undefined
        ? {}
        : session.startsWith('ey')
          ? { authorization: `Bearer ${session}` }
          : { 'zt-session': session }),
      ...headers,
    },
  });
  sent.end(text);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  const got = Buffer.concat(chunks).toString();
  const json = answer.headers['content-type'] === 'application/json';
  return { status: answer.statusCode ?? 0, headers: answer.headers, text: got, body: json ? JSON.parse(got) : got };
}

/** Logs in with the certificate; the token. */
export async function logIn(net: TestNetwork, as: TestIdentity, controller = 0): Promise<string> {
  const { body } = await ask(net, 'POST', '/authenticate?method=cert', { as, body: {}, controller });
  return body.data.token;
}

export function form(values: Readonly<Record<string, string>>): Pick<Asked, 'headers' | 'body'> {
  return {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(values).toString(),
  };
}
