// A gateway in this process whose file is written anew, and callers that come to it with JWTs of groups.

import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadGatewayConfig } from '@mcp-overlay/config';
import { type AccessSource, shareGuard } from '@mcp-overlay/overlay';
import { type TempOverlay, tempOverlay } from '@mcp-overlay/overlay/testing';
import {
  type CloseReason,
  dialLink,
  type Message,
  notificationMessage,
  parseMessage,
  requestMessage,
} from '@mcp-overlay/relay';
import { type Gateway, startGateway } from '../../src/gateway.ts';
import type { ReloadOutcome } from '../../src/reload/outcome.ts';

type Json = Record<string, unknown>;

export const ISSUER = 'https://idp.example';
const key = generateKeyPairSync('ed25519').privateKey;

export interface Caller extends AsyncDisposable {
  ask(method: string, params?: Json): Promise<{ readonly result?: Json; readonly error?: Json }>;
  call(name: string, args?: Json): Promise<string>;
  tools(): Promise<readonly string[]>;
  notified(method: string): Promise<void>;
  readonly ended: Promise<CloseReason>;
  /** How often its session was begun. */
  readonly begun: number;
  again(times: number): Promise<void>;
}

export interface RunningGateway extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly temp: TempOverlay;
  readonly logged: { readonly event: string; readonly fields: Json }[];
  write(text: string): Promise<void>;
  writeNow(text: string): void;
  /** Writes it and has it taken over. */
  take(text: string): Promise<ReloadOutcome>;
  /** Somebody of these groups; undefined: the owner. */
  come(who?: { readonly sub: string; readonly groups?: readonly string[] }, share?: string): Promise<Caller>;
}

/** Of the file; the issuer is added, and nothing is watched. */
export async function running(lines: string, shares: readonly string[] = []): Promise<RunningGateway> {
  const temp = await tempOverlay();
  for (const share of ['box', ...shares]) await temp.overlay.createShare(share);
  const { d: _d, ...open } = key.export({ format: 'jwk' });
  const jwks = join(temp.home, 'jwks.json');
  await writeFile(jwks, JSON.stringify({ keys: [{ ...open, kid: 'k' }] }));
  const file = join(temp.home, 'g.yml');
  const issuers = `issuers: [{ issuer: "${ISSUER}", audience: hall, jwks: ${jwks}, groups: groups }]\n`;
  const whole = (lines: string): string =>
    `${/^reload:/m.test(lines) ? '' : 'reload: { watch: false }\n'}${lines.includes('issuers:') ? '' : issuers}${lines}`;
  await writeFile(file, whole(lines));
  const { config } = await loadGatewayConfig(file, { env: {}, cwd: temp.home });
  const logged: RunningGateway['logged'] = [];
  const note = (fields: object, event: string): void => void logged.push({ event, fields: fields as Json });
  const log = { debug: () => {}, info: note, warn: note, error: note };
  const { env, overlay } = temp;
  const gateway = await startGateway({ config, file, overlay, env, version: 't', log, onLost: () => {} });
  const callers: Caller[] = [];
  const write = (text: string): Promise<void> => writeFile(file, whole(text));
  return {
    gateway,
    temp,
    logged,
    write,
    writeNow: (text) => writeFileSync(file, whole(text)),
    take: async (text) => {
      await write(text);
      return gateway.reloads.reload('command');
    },
    come: async (who, share = 'box') => {
      const caller = await dial(temp, share, who);
      callers.push(caller);
      return caller;
    },
    [Symbol.asyncDispose]: async () => {
      for (const caller of callers) await caller[Symbol.asyncDispose]();
      await gateway.close();
      await temp[Symbol.asyncDispose]();
    },
  };
}

async function dial(
  temp: TempOverlay,
  share: string,
  who: { readonly sub: string; readonly groups?: readonly string[] } | undefined,
): Promise<Caller> {
  const bearer = who && jwt(who.sub, who.groups ?? []);
  const access: AccessSource | undefined =
    bearer === undefined ? undefined : async () => ({ token: { use: (fn) => fn(Buffer.from(bearer)) } });
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const pending = new Map<string, (message: Message) => void>();
  const heard: string[] = [];
  let begun = 0;
  let wake: () => void = () => {};
  const until = async (fits: () => boolean): Promise<void> => {
    while (!fits()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  let end: (reason: CloseReason) => void = () => {};
  const ended = new Promise<CloseReason>((resolve) => {
    end = resolve;
  });
  let nextId = 0;
  let calls = 0;
  const ask: Caller['ask'] = async (method, params = {}) => {
    const id = String(nextId++);
    const answer = new Promise<Message>((resolve) => pending.set(id, resolve));
    // Calls that run once are numbered, as mcp-tools does it: over all sessions that it begins.
    if (method === 'tools/call') calls += 1;
    link.send(requestMessage(id, method, params, method === 'tools/call' ? calls : undefined));
    return parseMessage(await answer) as { result?: Json; error?: Json };
  };
  const begin = async (): Promise<void> => {
    const clientInfo = { name: 'test', version: '1' };
    await ask('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo });
    link.send(notificationMessage('notifications/initialized'));
    begun += 1;
    wake();
  };
  const link = dialLink({
    connect: (signal) => temp.other.dial(share, { signal }),
    session: randomBytes(16).toString('hex'),
    by: 't',
    check: shareGuard({ overlay: temp.other, share, env: temp.env, access, log }),
    backoff: { minMs: 1, maxMs: 5 },
    // Whoever sits above begins anew, as mcp-tools does.
    onRenewed: () => void begin(),
  });
  link.start({
    message: (message) => {
      if (message.kind === 'notification') heard.push(message.method ?? '');
      if (message.kind === 'response' && message.id !== undefined) {
        pending.get(message.id)?.(message);
        pending.delete(message.id);
      }
      wake();
    },
    fault: () => {},
    closed: end,
  });
  await link.ready;
  await begin();
  return {
    ask,
    call: async (name, args = {}) => {
      const { result, error } = await ask('tools/call', { name, arguments: args });
      if (error) return `error ${String(error.message)}`;
      const [first] = (result?.content ?? []) as { text?: string }[];
      return first?.text ?? '';
    },
    tools: async () => {
      const { result } = await ask('tools/list');
      return ((result?.tools ?? []) as { name: string }[]).map(({ name }) => name);
    },
    notified: async (method) => {
      await until(() => heard.includes(method));
      heard.splice(heard.indexOf(method), 1);
    },
    ended,
    get begun() {
      return begun;
    },
    again: (times) => until(() => begun >= times),
    [Symbol.asyncDispose]: () => link.close(),
  };
}

function jwt(sub: string, groups: readonly string[]): string {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + 600;
  const text = `${encode({ alg: 'EdDSA', kid: 'k' })}.${encode({ iss: ISSUER, aud: 'hall', sub, exp, groups, jti: randomBytes(8).toString('hex') })}`;
  return `${text}.${sign(null, Buffer.from(text), key).toString('base64url')}`;
}
