// Clients of the older transport (HTTP with SSE) and clients that ask for a newer revision first: the official SDK's
// clients and plain requests, at the loopback door and on the Unix socket of a share itself.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { House } from '../e2e/harness.ts';
import { LineClient } from '../e2e/line-client.ts';
import { everythingFile } from './everything.ts';
import { exerciseWith, type Kind, SDKS, TOOLS } from './sdk.ts';
import { socketFetch } from './socket-fetch.ts';

const NEWEST = '2026-07-28';
/** What clients of the newest revision ask before anything else. */
const DISCOVER = { jsonrpc: '2.0', id: 'probe', method: 'server/discover', params: { _meta: meta() } };

describe('older and newer clients', { concurrency: 2 }, () => {
  let house: House;
  let door: string;
  /** A gateway's share and a bridge's share. */
  const shares: Record<string, string> = {};

  before(async () => {
    house = await House.open();
    const bridge = await house.bridge(process.execPath, everythingFile);
    const gateway = await house.gateway([{ id: 'only', transport: { type: 'share', share_token: bridge } }]);
    door = await house.http(gateway);
    Object.assign(shares, { gateway, bridge });
  });

  after(() => house[Symbol.asyncDispose]());

  for (const sdk of SDKS) {
    test(`SDK ${sdk} over SSE works at the door's /sse, with the secret in the path`, async () => {
      await exerciseWith(sdk, 'sse', door.replace(/\/mcp$/, '/sse'));
    });

    test(`SDK ${sdk} over SSE works at the door's /sse, with the secret as bearer`, async () => {
      const [, secret = ''] = new URL(door).pathname.split('/');
      const headers = { authorization: `Bearer ${secret}` };
      await exerciseWith(sdk, 'sse', new URL('/sse', door).href, { headers });
    });

    test(`SDK ${sdk} over SSE works at the URL as printed`, async () => {
      await exerciseWith(sdk, 'sse', door);
    });

    for (const kind of ['sse', 'streamable'] satisfies Kind[]) {
      for (const host of ['gateway', 'bridge']) {
        test(`SDK ${sdk}, ${kind}, works on the socket of a ${host}'s share`, async () => {
          const fetch = socketFetch(house.socket(shares[host] ?? ''));
          const path = kind === 'sse' ? 'sse' : 'mcp';
          await exerciseWith(sdk, kind, `http://localhost/${path}`, { fetch });
        });
      }
    }
  }

  for (const host of ['gateway', 'bridge']) {
    test(`server/discover before initialize at a ${host}: answered, and the older session goes on beside it`, async () => {
      await using agent = LineClient.spawn(house.agentProgram(shares[host] ?? ''));
      const { result } = await agent.request(DISCOVER.method, DISCOVER.params);
      assert.deepEqual(result?.supportedVersions, [NEWEST]);
      await agent.initialize();
      assert.equal((await agent.toolNames()).length, TOOLS);
    });
  }

  test('server/discover at the door: answered under its id; initialize may still follow', async () => {
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': NEWEST,
      'mcp-method': DISCOVER.method,
    };
    const response = await fetch(door, { method: 'POST', headers, body: JSON.stringify(DISCOVER) });
    assert.equal(response.status, 200);
    const { id, result } = (await response.json()) as { id: unknown; result: { supportedVersions: string[] } };
    assert.deepEqual([id, result.supportedVersions], [DISCOVER.id, [NEWEST]]);
    await exerciseWith('v2', 'streamable', door);
  });
});

function meta(): Record<string, unknown> {
  const prefix = 'io.modelcontextprotocol/';
  return {
    [`${prefix}protocolVersion`]: NEWEST,
    [`${prefix}clientInfo`]: { name: 'peers', version: '1.0.0' },
    [`${prefix}clientCapabilities`]: {},
  };
}
