// The client of the suite's client scenarios: the official SDK's, doing what each scenario wants to see. The suite runs
// `client.ts direct|gateway <url>`; as gateway it goes through http door and gateway to the server of the scenario.
// Scenario and era come in the environment.

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { House } from '../e2e/harness.ts';

type Json = Readonly<Record<string, unknown>>;

interface Scenario {
  readonly capabilities?: Json;
  /** What the user answers. */
  readonly content?: Record<string, string | number | boolean | string[]>;
  run(client: Client): Promise<unknown>;
}

const { MCP_CONFORMANCE_SCENARIO: name = '', MCP_CONFORMANCE_PROTOCOL_VERSION: version } = process.env;
const { toolCalls = [] } = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}') as {
  toolCalls?: readonly { name: string; arguments: Record<string, unknown> }[];
};

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  initialize: { run: (client) => client.listTools() },
  tools_call: {
    run: async (client) => {
      await client.listTools();
      await client.callTool({ name: 'add_numbers', arguments: { a: 5, b: 3 } });
    },
  },
  'request-metadata': {
    capabilities: { roots: { listChanged: true }, sampling: {}, elicitation: {} },
    run: (client) => client.listTools().catch(() => {}),
  },
  'elicitation-sep1034-client-defaults': {
    capabilities: { elicitation: { form: { applyDefaults: true } } },
    content: {},
    run: async (client) => {
      await client.listTools();
      await client.callTool({ name: 'test_client_elicitation_defaults', arguments: {} });
    },
  },
  'sse-retry': {
    run: async (client) => {
      await client.listTools();
      await client.callTool({ name: 'test_reconnection', arguments: {} });
    },
  },
  'sep-2322-client-request-state': {
    capabilities: { elicitation: {} },
    content: { confirmed: true },
    run: async (client) => {
      for (const tool of ['echo_state', 'no_state', 'unrelated']) {
        await client.callTool({ name: `test_mrtr_${tool}`, arguments: {} });
      }
      // The SDK refuses a result without resultType; the scenario wants to see that it does not ask again.
      await client.callTool({ name: 'test_mrtr_no_result_type', arguments: {} }).catch(() => {});
    },
  },
  'http-standard-headers': {
    run: async (client) => {
      for (const { name: tool } of (await client.listTools()).tools)
        await client.callTool({ name: tool, arguments: {} });
      for (const { uri } of (await client.listResources()).resources) await client.readResource({ uri });
      for (const { name: prompt } of (await client.listPrompts()).prompts) await client.getPrompt({ name: prompt });
    },
  },
  'http-custom-headers': {
    run: async (client) => {
      await client.listTools();
      for (const call of toolCalls) await client.callTool(call);
    },
  },
  'http-invalid-tool-headers': {
    run: async (client) => {
      const { tools } = await client.listTools();
      for (const { name: tool } of tools) {
        // Some of them are there to be refused.
        await client.callTool({ name: tool, arguments: { region: 'us-west1' } }).catch(() => {});
      }
    },
  },
  'json-schema-ref-no-deref': { run: (client) => client.listTools() },
  'json-schema-2020-12-preservation': {
    run: async (client) => {
      const { tools } = await client.listTools();
      const schema = tools.find((tool) => tool.name === 'json_schema_2020_12_tool')?.inputSchema;
      await client.callTool({ name: 'json_schema_echo', arguments: { schema } });
    },
  },
};

const [way, url = ''] = process.argv.slice(2);
if (way === 'direct') {
  await play(url);
} else {
  await using house = await House.open();
  const transport = { type: 'http', endpoint: url, protocol: 'streamable', allow_insecure: true };
  const gateway = await house.gateway([{ id: 'suite', transport }]);
  // These servers know one client: the gateway's own look at them has to be over.
  await house.untilStatus(gateway, ({ backends }) => backends.every(({ state }) => state === 'up'));
  await play(await house.http(gateway));
}

async function play(at: string): Promise<void> {
  const scenario = SCENARIOS[name];
  if (!scenario) throw new Error(`no such scenario: ${name}`);
  const { capabilities = {}, content, run } = scenario;
  const modern = version === '2026-07-28';
  const client = new Client(
    { name: 'conformance-client', version: '1.0.0' },
    { capabilities, ...(modern ? { versionNegotiation: { mode: 'auto' as const } } : {}) },
  );
  if (content) client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content }));
  await client.connect(new StreamableHTTPClientTransport(new URL(at)));
  // A legacy server asks on the stream that a client opens beside its requests: give that one time to be there.
  for (let round = 0; !modern && round < 3; round += 1) await client.ping();
  await run(client);
  await client.close();
}
