// A zrok controller for tests: the REST calls of private shares with the statuses and odd bodies of a real zrok 2.0.4
// (checked against recorded exchanges), on a loopback port, driving an OpenZiti network through `ZitiAdmin`.
// FOR TESTS ONLY: accounts cost nothing here, and nothing is kept.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Answer, framework, ok, send, text, ZROK_TYPE } from './fake-zrok/answers.ts';
import type { Account, Books } from './fake-zrok/books.ts';
import * as environments from './fake-zrok/environments.ts';
import * as shares from './fake-zrok/shares.ts';
import { World } from './fake-zrok/world.ts';
import { paperNetwork, type ZitiAdmin } from './fake-zrok/ziti-admin.ts';

export interface FakeZrokOptions {
  /** Default: one that only keeps names. */
  readonly ziti?: ZitiAdmin;
  /** Environments of one account. Default: no limit. */
  readonly maxEnvironments?: number;
}

/** What the next call of a path does instead of its work. */
export type Fault =
  | { readonly answer: Answer }
  /** Breaks the connection off. */
  | { readonly hangUp: true }
  /** Does its work and then never answers. */
  | { readonly stall: true }
  /** Sends so many bytes of nothing. */
  | { readonly flood: number };

export interface FakeZrok extends AsyncDisposable {
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  readonly books: Books;
  /** Method, path and status of every call so far. */
  readonly calls: readonly string[];
  /** Resolves with its account token. */
  addAccount(email: string): string;
  /** Once, for the next call of `POST /share` and the like. */
  fault(call: string, fault: Fault): void;
  /** Resolves when the next such call has come in. */
  called(call: string): Promise<void>;
}

type Handler = (world: World, account: Account, body: Record<string, unknown>, url: URL) => Answer | Promise<Answer>;

const ROUTES: Readonly<Record<string, Handler>> = {
  'POST /enable': environments.enable,
  'POST /disable': environments.disable,
  'GET /environments': environments.environments,
  'GET /overview': environments.overview,
  'POST /share': shares.share,
  'PATCH /share': shares.updateShare,
  'DELETE /unshare': shares.unshare,
  'GET /shares': (world, account, _, url) => shares.shares(world, account, url.searchParams),
  'POST /access': shares.access,
  'PATCH /access': shares.updateAccess,
  'DELETE /unaccess': shares.unaccess,
  'GET /accesses': (world, account, _, url) => shares.accesses(world, account, url.searchParams),
};
const DETAIL = '/detail/share/';
const OPEN: Readonly<Record<string, (body: Record<string, unknown>) => Answer>> = {
  'GET /versions': () => ok({ controllerVersion: 'v2.0.4 []' }),
  'GET /version': () => ok(OUTDATED),
  'GET /configuration': () => ok({ version: 'v2.0.4 []' }),
  'POST /clientVersionCheck': ({ clientVersion }) =>
    /^(refs\/(heads|tags)\/)?v2\.0/.test(String(clientVersion))
      ? ok()
      : text(400, `client version '${clientVersion}' does not match any accepted patterns; ${VISIT}`),
};
const VISIT = "please visit 'https://docs.zrok.io/docs/guides/install/' for the latest release!";
const OUTDATED = `your local zrok installation is out of date and needs to be upgraded! ${VISIT}`;

export async function startFakeZrok(options: FakeZrokOptions = {}): Promise<FakeZrok> {
  const { ziti = paperNetwork(), maxEnvironments = Number.POSITIVE_INFINITY } = options;
  const world = new World(ziti, { environments: maxEnvironments });
  const calls: string[] = [];
  const faults = new Map<string, Fault[]>();
  const waiting = new Map<string, (() => void)[]>();
  let turn: Promise<unknown> = Promise.resolve();

  const answer = async (request: IncomingMessage, url: URL, call: string): Promise<Answer | 'hang up'> => {
    const raw = await bodyOf(request);
    if (raw !== '' && request.headers['content-type'] !== ZROK_TYPE) {
      return framework(
        500,
        `no consumer registered for ${request.headers['content-type'] ?? 'application/octet-stream'}`,
      );
    }
    const accepted = request.headers.accept ?? '*/*';
    if (accepted !== '*/*' && accepted !== ZROK_TYPE) return 'hang up';
    const open = OPEN[call];
    const detail = call.startsWith(`GET ${DETAIL}`);
    const handler = detail ? undefined : ROUTES[call];
    if (!open && !detail && !handler) return framework(404, `path ${url.pathname} was not found`);
    const token = request.headers['x-token'];
    const account = world.books.accounts.find((one) => one.token === token);
    if (!open && token === undefined) return framework(401, 'unauthenticated for invalid credentials');
    if (!open && !account) return framework(401, 'invalid api key');
    const body = parsed(raw);
    if (body === undefined) return framework(400, 'parsing body body from "" failed, because unexpected EOF');
    if (open) return open(body);
    if (!account) throw new Error('unreachable');
    if (detail) {
      const name = decodeURIComponent(url.pathname.slice(url.pathname.indexOf(DETAIL) + DETAIL.length));
      return shares.shareDetail(world, account, name);
    }
    // sqlite has one connection, held while OpenZiti is asked: one call at a time.
    const mine = turn.then(() => handler?.(world, account, body, url));
    turn = mine.catch(() => {});
    return (await mine) ?? framework(500, 'no handler');
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const call = `${request.method} ${url.pathname.replace(/^\/api\/v2/, '')}`;
    for (const told of waiting.get(call)?.splice(0) ?? []) told();
    const fault = faults.get(call)?.shift();
    if (fault && 'hangUp' in fault) {
      request.socket.destroy();
      return;
    }
    if (fault && 'flood' in fault) {
      response.writeHead(200, { 'content-type': ZROK_TYPE }).end(Buffer.alloc(fault.flood, ' '));
      return;
    }
    const made = fault && 'answer' in fault ? fault.answer : await answer(request, url, call);
    calls.push(`${call} ${made === 'hang up' ? 0 : made.status}`);
    if (fault && 'stall' in fault) return;
    if (made === 'hang up') request.socket.destroy();
    else send(response, made);
  };

  const server = createServer((request, response) => {
    serve(request, response).catch((error: Error) => send(response, framework(500, error.message)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    books: world.books,
    calls,
    addAccount: (email) => world.addAccount(email).token,
    fault: (call, fault) => void faults.set(call, [...(faults.get(call) ?? []), fault]),
    called: (call) => new Promise((resolve) => waiting.set(call, [...(waiting.get(call) ?? []), resolve])),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(raw: string): Record<string, unknown> | undefined {
  if (raw === '') return {};
  try {
    return { ...(JSON.parse(raw) as object) };
  } catch {
    return undefined;
  }
}
