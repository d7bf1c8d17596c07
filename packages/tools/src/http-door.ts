// The loopback HTTP door to a share. Each HTTP session is a session of its own at the share; the URL on stdout carries its
// secret and works as pasted. Loaded by `mcp-tools http` only.

import { createServer } from 'node:http';
import {
  announce,
  EXIT,
  type ExitCode,
  endSignal,
  type Flags,
  holdYoungGeneration,
  openLogFor,
  say,
  toolkitVersion,
  UsageError,
} from '@mcp-overlay/cli';
import { bindSocket, openOverlay } from '@mcp-overlay/overlay';
import { describeFault, LIMITS, relay } from '@mcp-overlay/relay';
import { createHttpSessions } from '@mcp-overlay/relay/http';
import { accessOf } from './access.ts';
import { type Bind, parseBind } from './bind.ts';
import { answerCors } from './cors.ts';
import { doorGuard } from './door-guard.ts';
import { doorSecret } from './secret.ts';
import { openShareSession } from './share-session.ts';

/** A header block or a slow client may not hold a connection for longer. */
const HEADERS_MS = 10_000;

export async function serveHttp(flags: Flags): Promise<ExitCode> {
  const token = String(flags.token);
  const access = accessOf(flags);
  const bind = parseBind(String(flags.bind));
  const allowOrigins = ((flags['allow-origin'] as string[] | undefined) ?? []).map(checkOrigin);
  holdYoungGeneration();
  using end = endSignal();
  const log = openLogFor('mcp-tools', flags);
  const { identity, trust, overlay: kind } = flags;
  const { overlay, chosenBecause } = await openOverlay({ env: process.env, kind, identity, trust, log });
  log[flags.overlay === undefined ? 'info' : 'debug'](
    { overlay: overlay.kind, because: chosenBecause },
    'overlay chosen',
  );
  // A share that does not exist is said now, not at the first request.
  await reach(() => overlay.dial(token));
  const secret =
    flags['no-auth'] === true ? undefined : await doorSecret(token, flags['new-secret'] === true, process.env);
  const by = `mcp-tools/${toolkitVersion()}`;
  const sessions = createHttpSessions({
    limits: LIMITS,
    log,
    stateless: flags.stateless === true,
    jsonResponse: flags['json-response'] === true,
    onSession: (transport) => {
      const { kept } = openShareSession({ overlay, token, access, by, log });
      void relay(transport, kept, {
        onFault: (side, fault) => log.warn({ side, fault: describeFault(fault) }, 'message skipped'),
      });
    },
  });
  // Until it is known where it listens, nobody gets in.
  let guard: ReturnType<typeof doorGuard> = () => ({ pass: false, status: 404, text: 'not found' });
  const server = createServer({ headersTimeout: HEADERS_MS, requestTimeout: 0 }, (request, response) => {
    const verdict = guard(request);
    if (verdict.pass) {
      if (!answerCors(request, response)) sessions.handle(request, response);
      return;
    }
    response.writeHead(verdict.status, { 'content-type': 'text/plain', connection: 'close' }).end(`${verdict.text}\n`);
  });
  const bound = await listen(server, bind);
  guard = doorGuard({ bind: bound.bind, secret, allowOrigins });
  announce({ url: urlOf(bound.bind, secret) });
  if (secret === undefined) say('mcp-tools: --no-auth: every program of this machine may use this door');
  const lost = await end.ended;
  server.close();
  await sessions.close();
  server.closeAllConnections();
  await bound.close();
  await overlay.close();
  if (lost) throw lost;
  return EXIT.done;
}

async function reach(dial: () => Promise<{ abort(reason: string): void }>): Promise<void> {
  try {
    (await dial()).abort('only looked whether the share is there');
  } catch (error) {
    // Not hosted at the moment: sessions wait for it themselves.
    if ((error as { code?: unknown }).code !== 'share_not_hosted') throw error;
  }
}

function listen(server: ReturnType<typeof createServer>, bind: Bind): Promise<{ bind: Bind; close(): Promise<void> }> {
  if (bind.kind === 'unix') {
    return bindSocket(bind.path, (socket) => server.emit('connection', socket)).then(
      ({ close }) => ({ bind, close }),
      (error: Error) => {
        throw new UsageError(
          `--bind unix:${bind.path}: ${error.message}`,
          'choose another with --bind unix:/absolute/path',
        );
      },
    );
  }
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      const text = taken ? `${bind.host}:${bind.port} is in use by another program` : error.message;
      reject(new UsageError(text, 'choose another with --bind 127.0.0.1:PORT'));
    });
    server.listen({ host: bind.host, port: bind.port }, () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : bind.port;
      resolve({ bind: { ...bind, port }, close: async () => {} });
    });
  });
}

function urlOf(bind: Bind, secret: string | undefined): string {
  const path = secret === undefined ? '/mcp' : `/${secret}/mcp`;
  if (bind.kind === 'unix') return `unix:${bind.path}:${path}`;
  return `http://${bind.host === '::1' ? '[::1]' : bind.host}:${bind.port}${path}`;
}

function checkOrigin(text: string): string {
  const origin = URL.canParse(text) ? new URL(text).origin : 'null';
  if (origin === 'null')
    throw new UsageError(`--allow-origin ${text} is no web origin`, 'as in https://inspector.example');
  return origin;
}
