// HTTP backends behind the gateway: server-everything over both transports, in the clear and behind TLS with a CA of its
// own. A certificate that is not trusted is a reason that can be acted on, and the other backends work.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Backend, House, runToEnd } from '../e2e/harness.ts';
import { LineClient } from '../e2e/line-client.ts';
import { type Certificate, certificate, withoutOpenssl } from './certificates.ts';
import { everythingHost } from './everything.ts';
import type { ForeignHost } from './foreign.ts';
import { LONG, LONG_ARGS, LONG_DONE, textOf } from './sdk.ts';
import { type TlsFront, tlsFront } from './tls-front.ts';

const skip = (await withoutOpenssl()) ?? false;
if (skip !== false) process.stderr.write(`SKIPPED: backends behind TLS are not tested: ${skip}\n`);

interface Checked {
  readonly ok: boolean;
  readonly backends: readonly { readonly id: string; readonly ok: boolean; readonly reason: string }[];
}

describe('http backends', () => {
  let house: House;
  let streamable: ForeignHost;
  let sse: ForeignHost;

  before(async () => {
    house = await House.open();
    [streamable, sse] = await Promise.all([everythingHost(house, 'streamableHttp'), everythingHost(house, 'sse')]);
  });

  after(async () => {
    await Promise.all([streamable[Symbol.asyncDispose](), sse[Symbol.asyncDispose]()]);
    await house[Symbol.asyncDispose]();
  });

  test('server-everything over Streamable HTTP and over SSE works behind one gateway', async () => {
    const share = await house.gateway([
      plain('stream', `${streamable.url}mcp`, 'streamable'),
      plain('older', `${sse.url}sse`, 'sse'),
    ]);
    await assertServe(share, ['stream', 'older']);
  });

  describe('behind TLS', { skip }, () => {
    let ours: Certificate;
    let stranger: Certificate;
    let streamableFront: TlsFront;
    let sseFront: TlsFront;

    before(async () => {
      [ours, stranger] = await Promise.all([
        certificate(house.home, 'ours', 'DNS:localhost'),
        certificate(house.home, 'stranger', 'DNS:localhost'),
      ]);
      [streamableFront, sseFront] = await Promise.all([tlsFront(ours, streamable.url), tlsFront(ours, sse.url)]);
    });

    after(() => Promise.all([streamableFront[Symbol.asyncDispose](), sseFront[Symbol.asyncDispose]()]));

    test('with ca_cert_file or insecure_skip_verify it serves; with a wrong CA it is named, and the others work', async () => {
      const trusted = { ca_cert_file: ours.caFile };
      const share = await house.gateway([
        secure('stream', at(streamableFront, 'mcp'), 'streamable', trusted),
        secure('older', at(sseFront, 'sse'), 'sse', trusted),
        secure('unchecked', at(streamableFront, 'mcp'), 'streamable', { insecure_skip_verify: true }),
        secure('wrong', at(streamableFront, 'mcp'), 'streamable', { ca_cert_file: stranger.caFile }),
      ]);
      await assertServe(share, ['stream', 'older', 'unchecked']);
      const { backends } = await house.status(share);
      const wrong = backends.find(({ id }) => id === 'wrong');
      assert.equal(wrong?.state, 'failing');
      assert.match(wrong.reason ?? '', /certificate is not accepted \(\w+\) \(configure the CA that signed it\)/);
    });

    test('check says of each backend what is wrong with its TLS, and ends with 1', async () => {
      const { port } = new URL(streamable.url);
      const trusted = { ca_cert_file: ours.caFile };
      const reasons = await checked([
        secure('good', at(streamableFront, 'mcp'), 'streamable', trusted),
        secure('no-ca', at(streamableFront, 'mcp'), 'streamable'),
        secure('no-ca-sse', at(sseFront, 'sse'), 'sse'),
        secure('wrong-ca', at(sseFront, 'sse'), 'sse', { ca_cert_file: stranger.caFile }),
        secure('other-name', at(streamableFront, 'mcp', '127.0.0.1'), 'streamable', trusted),
        secure('no-file', at(streamableFront, 'mcp'), 'streamable', { ca_cert_file: '/nowhere/ca.pem' }),
        secure('no-tls', `https://localhost:${port}/mcp`, 'streamable', trusted),
      ]);
      assert.equal(reasons.good, '');
      for (const id of ['no-ca', 'no-ca-sse', 'wrong-ca']) {
        assert.match(reasons[id] ?? '', /^localhost:\d+: its certificate is not accepted .*configure the CA/, id);
      }
      assert.match(reasons['other-name'] ?? '', /^127\.0\.0\.1:\d+: its certificate is not accepted .*other names/);
      assert.match(reasons['no-file'] ?? '', /\/nowhere\/ca\.pem/);
      assert.match(reasons['no-tls'] ?? '', /^localhost:\d+: it does not speak TLS .*http:\/\//);
    });
  });

  async function checked(backends: readonly Backend[]): Promise<Record<string, string>> {
    const file = await house.config(backends);
    const { code, stdout } = await runToEnd(house.program('gateway', 'check', file, '--json', '--overlay', 'local'));
    assert.equal(code, 1);
    const { backends: said } = JSON.parse(stdout) as Checked;
    return Object.fromEntries(said.map(({ id, reason }) => [id, reason]));
  }

  async function assertServe(share: string, ids: readonly string[]): Promise<void> {
    await using agent = LineClient.spawn(house.agentProgram(share));
    await agent.initialize();
    const names = await agent.toolNames();
    assert.deepEqual([...new Set(names.map((name) => name.split('__', 1)[0]))], ids);
    await Promise.all(ids.map((id) => assertWorks(agent, id)));
  }
});

async function assertWorks(agent: LineClient, id: string): Promise<void> {
  const echoed = await agent.call(`${id}__echo`, { message: 'grüße 🌍' });
  assert.equal(textOf(echoed.result), 'Echo: grüße 🌍');
  const { result } = await agent.call(`${id}__${LONG}`, LONG_ARGS, { progressToken: id });
  assert.equal(textOf(result), LONG_DONE);
  const told = agent.lines.flatMap(({ value }) => (value?.method === 'notifications/progress' ? [value.params] : []));
  const mine = (told as { progressToken: string; progress: number }[]).filter(
    ({ progressToken }) => progressToken === id,
  );
  assert.deepEqual(
    mine.map(({ progress }) => progress),
    [1, 2, 3],
  );
}

function plain(id: string, endpoint: string, protocol: string): Backend {
  return { id, transport: { type: 'http', endpoint, protocol, allow_insecure: true } };
}

function secure(id: string, endpoint: string, protocol: string, tls: Record<string, unknown> = {}): Backend {
  return { id, transport: { type: 'https', endpoint, protocol, tls } };
}

function at({ port }: TlsFront, path: string, host = 'localhost'): string {
  return `https://${host}:${port}/${path}`;
}
