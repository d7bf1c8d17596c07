// Asks a running gateway over its admin socket. One runs: it is found. Several run: the token says which.

import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { UsageError } from '@mcp-overlay/cli';
import { socketBehind, stateFolder } from '@mcp-overlay/overlay';

const ANSWER_MS = 5000;
const SUFFIX = '.sock';

export async function askAdmin(command: string, token: string | undefined, env: NodeJS.ProcessEnv): Promise<unknown> {
  const folder = await stateFolder(env);
  const names = (await readdir(folder.admin)).filter((name) => name.endsWith(SUFFIX));
  const tokens = names.map((name) => name.slice(0, -SUFFIX.length)).sort();
  const wanted = token === undefined ? tokens : tokens.filter((name) => name === token);
  const answers = await Promise.all(wanted.map((name) => ask(`${folder.admin}/${name}${SUFFIX}`, command)));
  const alive = wanted.map((name, at) => ({ name, answer: answers[at] })).filter(({ answer }) => answer !== undefined);
  const [first] = alive;
  if (!first) {
    const what = token === undefined ? 'no gateway is running' : `no gateway is running on share ${token}`;
    throw Object.assign(new Error(what), { code: 'share_not_hosted', hint: 'start one with: mcp-gateway run CONFIG' });
  }
  if (alive.length > 1) {
    const running = alive.map(({ name }) => name).join(', ');
    throw new UsageError(`several gateways are running: ${running}`, `name one: mcp-gateway ${command} TOKEN`);
  }
  const { ok, error } = JSON.parse(first.answer ?? '{}') as { ok?: unknown; error?: string };
  if (ok === undefined) throw new Error(error ?? 'the gateway gave no answer');
  return ok;
}

/** The answer line, or undefined where nobody answers. */
async function ask(name: string, command: string): Promise<string | undefined> {
  const path = await socketBehind(name);
  if (path === undefined) return undefined;
  return new Promise((resolve) => {
    const socket = connect(path);
    let text = '';
    socket.setEncoding('utf8');
    socket.setTimeout(ANSWER_MS, () => socket.destroy());
    socket.on('connect', () => socket.write(`${JSON.stringify({ command })}\n`));
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(text === '' ? undefined : text));
  });
}
