// People with certificates, backends with credentials, and an HTTP server that writes down every header it gets: what the
// tests about secrets have in common.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { type Authority, testAuthority } from '@mcp-overlay/overlay/testing';
import { House } from './harness.ts';
import { type Json, type LineClient, type Reply, textOf } from './line-client.ts';

export class SecretsTown implements AsyncDisposable {
  readonly house: House;
  readonly #ca: Authority = testAuthority('town');
  readonly #folder: string;

  private constructor(house: House) {
    this.house = house;
    this.#folder = join(house.home, 'town');
  }

  static async open(): Promise<SecretsTown> {
    const town = new SecretsTown(await House.open());
    await mkdir(town.#folder, { mode: 0o700 });
    await writeFile(town.#caFile, town.#ca.pem);
    return town;
  }

  /** Flags of a program that is this one, and believes the others. Its id is `x509:CN=NAME`. */
  async as(name: string): Promise<string[]> {
    const file = join(this.#folder, `${name}.pem`);
    const issued = this.#ca.issue(name);
    await writeFile(file, issued.keyPem + issued.pem, { mode: 0o600 });
    return ['--identity', file, '--trust', this.#caFile];
  }

  /** Resolves with its path. */
  async secret(name: string, value: string): Promise<string> {
    const file = join(this.#folder, name);
    await writeFile(file, `${value}\n`, { mode: 0o600 });
    return file;
  }

  get #caFile(): string {
    return join(this.#folder, 'ca.pem');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.house[Symbol.asyncDispose]();
  }
}

export function digestOf(value: string): string {
  return createHash('sha256').update(value).digest('hex');
}

const PREFIX = 'io.modelcontextprotocol/';

/** A request of the modern era. */
export function modernCall(agent: LineClient, name: string, args: Json = {}): Promise<Reply> {
  const _meta = {
    [`${PREFIX}protocolVersion`]: '2026-07-28',
    [`${PREFIX}clientInfo`]: { name: 'secrets', version: '1' },
    [`${PREFIX}clientCapabilities`]: {},
  };
  return agent.request('tools/call', { name, arguments: args, _meta });
}

export async function modernTold(agent: LineClient, name: string, args: Json = {}): Promise<Json> {
  return textOf(await modernCall(agent, name, args));
}

export interface SeenRequest {
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly url: string;
  readonly body: string;
}

export interface HeaderServer extends AsyncDisposable {
  readonly url: string;
  readonly seen: SeenRequest[];
  /** Value of Authorization that is let in; undefined: any. Others get 401. */
  allowed: string | undefined;
}

/** An MCP server over Streamable HTTP, of both eras; its tool `who` tells a hash of the Authorization it came with. */
export async function headerServer(): Promise<HeaderServer> {
  const seen: SeenRequest[] = [];
  const state: { allowed: string | undefined } = { allowed: undefined };
  const server = createServer(async (request, response) => {
    const body = await readText(request);
    const { headers, rawHeaders, url = '' } = request;
    seen.push({ headers, rawHeaders, url, body });
    if (request.method !== 'POST') return void response.writeHead(405).end();
    if (state.allowed !== undefined && headers.authorization !== state.allowed) {
      return void response.writeHead(401, { 'www-authenticate': 'Bearer' }).end('who are you?');
    }
    const message = JSON.parse(body) as {
      id?: unknown;
      method: string;
      params?: { name?: string; protocolVersion?: string };
    };
    if (message.id === undefined) return void response.writeHead(202).end();
    const result = answer(message, headers.authorization ?? '');
    const reply = result === undefined ? { error: { code: -32601, message: 'no such method' } } : { result };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, ...reply }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    seen,
    get allowed() {
      return state.allowed;
    },
    set allowed(value) {
      state.allowed = value;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const COMPLETE = { resultType: 'complete', ttlMs: 0, cacheScope: 'private' };
const CAPABILITIES = { capabilities: { tools: {} }, serverInfo: { name: 'headers', version: '1' } };

function answer(
  { method, params = {} }: { method: string; params?: { name?: string; protocolVersion?: string } },
  authorization: string,
): Json | undefined {
  switch (method) {
    case 'initialize':
      return { protocolVersion: params.protocolVersion, ...CAPABILITIES };
    case 'server/discover':
      return { ...COMPLETE, supportedVersions: ['2026-07-28'], ...CAPABILITIES };
    case 'tools/list':
      return { ...COMPLETE, tools: [{ name: 'who', inputSchema: { type: 'object' } }] };
    case 'tools/call':
      return {
        ...COMPLETE,
        content: [{ type: 'text', text: JSON.stringify({ digests: { SECRET_T: digestOf(authorization) } }) }],
      };
    case 'ping':
      return {};
    default:
      return undefined;
  }
}
