// The HTTP door and HTTP servers in the modern era, where the suite does not look: names that differ on both sides of a
// gateway and the headers that go with them, servers that insist on headers which a client on stdio never sends.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fixtureCommand, type HttpFixture, httpFixture } from '../conformance/fixture.ts';
import { House } from './harness.ts';
import { type Json, LineClient } from './line-client.ts';
import { commandBackend } from './servers.ts';

const PREFIX = 'io.modelcontextprotocol/';
const VERSION = '2026-07-28';
const HEADER_MISMATCH = -32020;
/** Needs base64 in a header. */
const REGION = 'Zürich ☃';
const TOOL = 'far__test_x_mcp_header';

const meta = { [`${PREFIX}protocolVersion`]: VERSION, [`${PREFIX}clientCapabilities`]: {} };
const encoded = (value: string): string => `=?base64?${Buffer.from(value, 'utf8').toString('base64')}?=`;

interface Answer {
  readonly status: number;
  readonly body: Json;
}

describe('headers of the modern era, with names that differ on the two sides', () => {
  let house: House;
  let far: HttpFixture;
  let gateway: string;
  let door: string;

  before(async () => {
    // It refuses a call whose Mcp-Param-* are not those of its arguments, and a session id.
    far = await httpFixture('modern');
    house = await House.open();
    const transport = { type: 'http', endpoint: far.url, protocol: 'streamable', allow_insecure: true };
    const [command, ...args] = fixtureCommand('modern');
    gateway = await house.gateway([{ id: 'far', transport }, commandBackend('near', { command, args })]);
    door = await house.http(gateway);
  });
  after(async () => {
    await house[Symbol.asyncDispose]();
    await far[Symbol.asyncDispose]();
  });

  async function post(method: string, params: Json, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(door, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': VERSION,
        'mcp-method': method,
        ...headers,
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 'p', method, params: { ...params, _meta: meta } }),
    });
    const text = await response.text();
    const data = /^data: (.*)$/m.exec(text)?.[1] ?? text;
    return { status: response.status, body: data === '' ? {} : (JSON.parse(data) as Json) };
  }

  const call = (name: string, args: Json, headers: Record<string, string>): Promise<Answer> =>
    post('tools/call', { name, arguments: args }, { 'mcp-name': name, ...headers });

  function code({ body }: Answer): unknown {
    return (body.error as Json | undefined)?.code;
  }

  test('an argument that is mirrored in a header reaches either kind of server, under its own name there', async () => {
    // The door knows the schemas that it has shown.
    await post('tools/list', {});
    for (const name of [TOOL, 'near__test_x_mcp_header']) {
      for (const region of ['eu-1', REGION, ' padded ', '=?base64?eA==?=']) {
        const plain = /^[\x21-\x7e]+$/.test(region) && !region.startsWith('=?');
        const answer = await call(name, { region }, { 'mcp-param-region': plain ? region : encoded(region) });
        assert.equal(answer.status, 200, JSON.stringify(answer.body));
        assert.match(JSON.stringify(answer.body), new RegExp(`region=${region.replaceAll(/[?=]/g, '.')}`));
      }
    }
  });

  test('a header that differs from the body is refused here, before any server sees the call', async () => {
    await post('tools/list', {});
    const right = { 'mcp-param-region': 'eu-1' };
    const wrong: readonly [string, Record<string, string>][] = [
      ['no Mcp-Param', {}],
      ['another Mcp-Param', { 'mcp-param-region': 'us-1' }],
      ['Mcp-Param that is no base64', { 'mcp-param-region': '=?base64?e!?=' }],
      ['the name at the server', { ...right, 'mcp-name': 'test_x_mcp_header' }],
      ['another method', { ...right, 'mcp-method': 'tools/list' }],
      ['another revision', { ...right, 'mcp-protocol-version': '2025-11-25' }],
    ];
    for (const [what, headers] of wrong) {
      const answer = await call(TOOL, { region: 'eu-1' }, headers);
      assert.deepEqual(
        [answer.status, code(answer)],
        [400, HEADER_MISMATCH],
        `${what}: ${JSON.stringify(answer.body)}`,
      );
      assert.equal(answer.body.id, 'p', what);
    }
    assert.equal((await call(TOOL, { region: 'eu-1' }, { ...right, 'mcp-name': encoded(TOOL) })).status, 200);
    const uri = 'far+test://static-text';
    const read = await post('resources/read', { uri }, { 'mcp-name': uri });
    assert.equal(((read.body.result as Json).contents as readonly Json[])[0]?.uri, uri);
    assert.equal((await post('resources/read', { uri }, { 'mcp-name': 'test://static-text' })).status, 400);
  });

  test('a client that sends no headers, or is of the older era, calls the server that insists on them', async () => {
    for (const era of ['legacy', 'modern'] as const) {
      await using agent = LineClient.spawn(house.agentProgram(gateway));
      if (era === 'legacy') await agent.initialize();
      for (const region of ['eu-1', REGION]) {
        const params = { name: TOOL, arguments: { region }, ...(era === 'modern' ? { _meta: meta } : {}) };
        const { raw, error } = await agent.request('tools/call', params);
        assert.equal(error, undefined, raw);
        assert.match(raw, new RegExp(`region=${region}`));
      }
    }
  });

  test('there is no session to end, a notification is taken, an unknown method is 404', async () => {
    const ended = await fetch(door, { method: 'DELETE', headers: { 'mcp-protocol-version': VERSION } });
    assert.ok(ended.status >= 400);
    const params = { requestId: 'never', _meta: meta };
    const notification = await fetch(door, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': VERSION,
        'mcp-method': 'notifications/cancelled',
      },
      body: JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params }),
    });
    assert.deepEqual([notification.status, await notification.text()], [202, '']);
    const unknown = await post('example.com/never', {});
    assert.deepEqual([unknown.status, code(unknown)], [404, -32601]);
  });

  test('lists are the same for every client and every time', async () => {
    const names = async (): Promise<string> => {
      const { tools } = (await post('tools/list', {})).body.result as { tools: readonly Json[] };
      return tools.map(({ name }) => name).join(' ');
    };
    const first = await names();
    assert.ok(first.startsWith('far__'));
    assert.deepEqual(new Set(await Promise.all(Array.from({ length: 8 }, names))), new Set([first]));
    await using agent = LineClient.spawn(house.agentProgram(gateway));
    await agent.initialize();
    assert.equal((await agent.toolNames()).join(' '), first);
  });
});
