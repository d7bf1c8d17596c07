// What the translation between the eras costs a small call, in CPU of its process: the same call through the same
// transports, as it is and translated. node --import tsx bench/eras.ts [CALLS]
// In memory on purpose: what sockets cost is measured by bench/main.mjs, and would only add noise here.

import { META } from '../packages/relay/src/eras/envelope.ts';
import { LegacyOnModern } from '../packages/relay/src/eras/legacy-on-modern/session.ts';
import { Handles } from '../packages/relay/src/eras/modern-on-legacy/handle.ts';
import { ModernOnLegacy } from '../packages/relay/src/eras/modern-on-legacy/session.ts';
import { requestMessage, resultMessage } from '../packages/relay/src/json-rpc.ts';
import type { Message } from '../packages/relay/src/message.ts';
import { SteadySession } from '../packages/relay/src/steady/steady.ts';
import { linkedTransports } from '../packages/relay/src/testing/linked.ts';
import type { Transport } from '../packages/relay/src/transport.ts';

const calls = Number(process.argv[2] ?? 40_000);
const WARM = 5000;
/** In flight: what a busy agent has, so that scheduling is not all there is. */
const AT_ONCE = 16;

const ENVELOPE = {
  [META.version]: '2026-07-28',
  [META.clientInfo]: { name: 'bench', version: '1' },
  [META.clientCapabilities]: { elicitation: {}, roots: {} },
};
const PARAMS = { name: 'echo', arguments: { text: 'x'.repeat(100) } };
const RESULT = { content: [{ type: 'text', text: 'x'.repeat(100) }] };
const WELCOME = {
  protocolVersion: '2025-11-25',
  supportedVersions: ['2026-07-28'],
  capabilities: { tools: {} },
  serverInfo: { name: 'bench', version: '1' },
};

function server(result: object): Transport {
  const [near, far] = linkedTransports();
  const answer = (message: Message): void => {
    if (message.kind !== 'request') return;
    const hello = message.method === 'initialize' || message.method === 'server/discover';
    far.send(resultMessage(message.id ?? '', hello ? WELCOME : result));
  };
  far.start({ message: answer, fault: () => {}, closed: () => {} });
  return near;
}

function steady(open: () => Promise<Transport>): SteadySession {
  return new SteadySession({
    name: 'server',
    open,
    backoff: { next: () => 1, note: () => {} },
    waitMs: 10_000,
    startMs: 10_000,
    unavailable: 'backend_unavailable',
  });
}

/** CPU microseconds a call. */
async function measure(transport: Transport, params: object, greet?: Message): Promise<number> {
  let next = 1;
  let left = 0;
  let done: () => void = () => {};
  const ask = (): void => void transport.send(requestMessage(String(next++), 'tools/call', params));
  transport.start({
    message: (message) => {
      if (message.kind !== 'response' || message.id === '0') return done();
      left -= 1;
      if (left >= AT_ONCE) ask();
      if (left === 0) done();
    },
    fault: () => {},
    closed: () => {},
  });
  const round = async (count: number): Promise<void> => {
    left = count;
    const over = new Promise<void>((resolve) => {
      done = resolve;
    });
    for (let n = 0; n < AT_ONCE; n += 1) ask();
    await over;
  };
  if (greet) {
    const greeted = new Promise<void>((resolve) => {
      done = resolve;
    });
    transport.send(greet);
    await greeted;
  }
  await round(WARM);
  const before = process.cpuUsage();
  await round(calls);
  const { user, system } = process.cpuUsage(before);
  await transport.close();
  return (user + system) / calls;
}

const hello = requestMessage('0', 'initialize', { protocolVersion: '2025-11-25', capabilities: {} });
const modernParams = { ...PARAMS, _meta: ENVELOPE };
const modernResult = { resultType: 'complete', ...RESULT };

const rows = {
  'legacy as it is': await measure(
    steady(async () => server(RESULT)),
    PARAMS,
    hello,
  ),
  'legacy client, modern server': await measure(new LegacyOnModern({ server: server(modernResult) }), PARAMS, hello),
  'modern as it is': await measure(
    steady(async () => server(modernResult)),
    modernParams,
  ),
  'modern client, legacy server': await measure(
    new ModernOnLegacy({
      open: () => steady(async () => server(RESULT)),
      handles: new Handles(),
      principal: 'owner',
      by: { name: 'bench', version: '1' },
      onTaken: () => {},
      onRefused: () => {},
    }),
    modernParams,
  ),
};
for (const [name, us] of Object.entries(rows))
  process.stdout.write(`${us.toFixed(1).padStart(7)} µs CPU a call  ${name}\n`);
