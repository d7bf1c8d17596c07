// Asks a running gateway over its admin socket. One runs: it is found. Several run: the token says which. Those that left
// their share to a successor and still have calls open are asked by its name too.

import { readdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { UsageError } from '@mcp-overlay/cli';
import { OverlayError, socketBehind, stateFolder } from '@mcp-overlay/overlay';
import { within } from '@mcp-overlay/relay';
import { conversation } from './conversation.ts';

const ANSWER_MS = 5000;
const SUFFIX = '.sock';

/** What came of asking one socket: its answer line, nobody there, or somebody who says nothing that makes sense. */
type Answer =
  | {
      readonly ok?: unknown;
      readonly error?: string;
      readonly failed?: { readonly code?: unknown; readonly message?: unknown };
    }
  | 'nobody'
  | 'silent'
  | 'strange';

export interface AskOptions {
  readonly more?: Readonly<Record<string, unknown>>;
  /** How the token is named on the command line. */
  readonly naming?: string;
  readonly answerMs?: number;
  /** What is taken away is taken away also where it still goes on: at gateways that left and have calls open. */
  readonly andLeaving?: boolean;
}

/** Rejects `share_not_hosted`, `dial_timeout`, `peer_incompatible`, `usage` where several run and none is named, and with
 *  whatever the gateway itself failed with. */
export async function askAdmin(
  command: string,
  token: string | undefined,
  env: NodeJS.ProcessEnv,
  { more = {}, naming = `${command} TOKEN`, answerMs = ANSWER_MS, andLeaving = false }: AskOptions = {},
): Promise<unknown> {
  const { admin } = await stateFolder(env);
  // One that leaves after a successor took its share has a name of its own, with a dot in it (./server.ts).
  const names = (await readdir(admin)).filter((name) => name.endsWith(SUFFIX));
  const tokens = names
    .map((name) => name.slice(0, -SUFFIX.length))
    .filter((name) => !name.includes('.'))
    .sort();
  const wanted = token === undefined ? tokens : tokens.filter((name) => name === token);
  const answers = await Promise.all(
    wanted.map((name) => ask(join(admin, `${name}${SUFFIX}`), { command, ...more }, answerMs)),
  );
  const alive = wanted.flatMap((name, at) => {
    const answer = answers[at] ?? 'nobody';
    return answer === 'nobody' ? [] : [{ name, answer }];
  });
  const [first, ...others] = alive;
  if (!first) throw notRunning(token);
  if (others.length > 0) {
    const running = alive.map(({ name }) => name).join(', ');
    throw new UsageError(`several gateways are running: ${running}`, `name one: mcp-gateway ${naming}`);
  }
  const { name, answer } = first;
  const ok = okOf(answer, name);
  if (andLeaving) await askLeaving({ command, ...more }, name, env);
  return ok;
}

/** What gateways answer that left this share to a successor and still have calls open. */
export async function askLeaving(
  request: Readonly<Record<string, unknown>>,
  token: string,
  env: NodeJS.ProcessEnv,
): Promise<unknown[]> {
  const { admin } = await stateFolder(env);
  const names = (await readdir(admin)).filter((name) => name.startsWith(`${token}.`) && name.endsWith(SUFFIX));
  const theirs = names.filter((name) => name !== `${token}${SUFFIX}`);
  const answers = await Promise.all(theirs.map((name) => ask(join(admin, name), request, ANSWER_MS)));
  return answers.flatMap((answer) => (typeof answer === 'object' && answer.ok !== undefined ? [answer.ok] : []));
}

/** A conversation with the gateway on this share. */
export interface AdminTalk {
  /** Rejects as `askAdmin` does. */
  ask(request: Readonly<Record<string, unknown>>, waitMs?: number): Promise<unknown>;
  /** What it says unasked; undefined: it is gone. */
  next(waitMs?: number): Promise<unknown>;
  /** It has ended the conversation. */
  readonly over: boolean;
  end(): void;
}

/** undefined: none runs there. */
export async function talkTo(token: string, env: NodeJS.ProcessEnv): Promise<AdminTalk | undefined> {
  const { admin } = await stateFolder(env);
  const path = await socketBehind(join(admin, `${token}${SUFFIX}`));
  const socket = path === undefined ? undefined : await connected(path);
  if (!socket) return undefined;
  const talk = conversation(socket);
  let over = false;
  void talk.over.then(() => {
    over = true;
  });
  const next = async (waitMs = ANSWER_MS): Promise<unknown> => {
    const said = talk.next();
    if (!(await within(waitMs, said))) throw silent(token);
    const answer = await said;
    return answer === undefined ? undefined : okOf(answer as Answer, token);
  };
  return {
    next,
    get over() {
      return over;
    },
    ask: async (request, waitMs) => {
      talk.say(request);
      const answer = await next(waitMs);
      if (answer === undefined) throw incompatible(token, 'it ended before it answered');
      return answer;
    },
    end: talk.end,
  };
}

function connected(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(undefined));
  });
}

function okOf(answer: Answer, name: string): unknown {
  if (answer === 'silent') throw silent(name);
  if (typeof answer === 'object' && answer.failed !== undefined) throw failure(answer.failed);
  if (typeof answer === 'string' || answer.ok === undefined) {
    const what = typeof answer === 'string' ? undefined : answer.error;
    throw incompatible(name, what ?? 'its answer cannot be read');
  }
  return answer.ok;
}

/** What every gateway that runs says to it; one that says nothing in time, or does not know it, says nothing. */
export async function askEach(command: string, env: NodeJS.ProcessEnv, answerMs = 1000): Promise<readonly unknown[]> {
  const { admin } = await stateFolder(env);
  const names = (await readdir(admin)).filter((name) => name.endsWith(SUFFIX)).sort();
  const answers = await Promise.all(names.map((name) => ask(join(admin, name), { command }, answerMs)));
  return answers.flatMap((answer) => (typeof answer === 'object' && answer.ok !== undefined ? [answer.ok] : []));
}

async function ask(name: string, request: object, answerMs: number): Promise<Answer> {
  const path = await socketBehind(name);
  if (path === undefined) return 'nobody';
  return new Promise((resolve) => {
    const socket = connect(path);
    let text = '';
    let reached = false;
    socket.setEncoding('utf8');
    const timer = setTimeout(() => socket.destroy(), answerMs);
    socket.on('connect', () => {
      reached = true;
      socket.write(`${JSON.stringify(request)}\n`);
    });
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(text === '' ? (reached ? 'silent' : 'nobody') : read(text));
    });
  });
}

function read(text: string): Answer {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : 'strange';
  } catch {
    return 'strange';
  }
}

function notRunning(token: string | undefined): OverlayError {
  const what = token === undefined ? 'no gateway is running' : `no gateway is running on share ${token}`;
  return new OverlayError('share_not_hosted', what, { hint: 'start one with: mcp-gateway run CONFIG' });
}

function silent(token: string): OverlayError {
  return new OverlayError('dial_timeout', `the gateway on share ${token} does not answer`, {
    hint: 'it is stopped, overloaded or ending; look at its process',
  });
}

function incompatible(token: string, why: string): OverlayError {
  return new OverlayError('peer_incompatible', `the gateway on share ${token} cannot be asked: ${why}`, {
    hint: 'restart it with this version',
  });
}

/** As if it had happened here. */
function failure({ code, message }: { readonly code?: unknown; readonly message?: unknown }): Error {
  const error = new Error(String(message));
  return typeof code === 'string' ? Object.assign(error, { code }) : error;
}
