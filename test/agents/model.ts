// A model API on loopback that has no model: turn by turn it calls the tools whose names end in the given words, then says
// that it is done. Anthropic's Messages and OpenAI's Responses, streamed.

import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

// biome-ignore lint/suspicious/noExplicitAny: two foreign protocols, of which a few members are looked at
type Json = any;

export interface FakeModel extends AsyncDisposable {
  readonly url: string;
  /** Names of the tools that the agent offered, of the latest request that had any. */
  readonly offered: readonly string[];
  /** What the agent gave back for the calls, in order. */
  readonly results: readonly string[];
}

const SAID = 'The tools were asked.';

export interface Wish {
  readonly toolEndsWith: string;
  readonly args: Json;
}

export async function fakeModel(...wishes: readonly Wish[]): Promise<FakeModel> {
  const seen = { offered: [] as readonly string[], results: [] as readonly string[] };
  const server = createServer(async (request, response) => {
    const body: Json = JSON.parse((await text(request)) || '{}');
    const path = new URL(request.url ?? '/', 'http://model').pathname;
    if (path.endsWith('/messages')) answerMessages(body, response);
    else if (path.endsWith('/responses')) answerResponses(body, response);
    else response.writeHead(404, { 'content-type': 'application/json' }).end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  /** The call of this turn, undefined when everything was called or the agent has no such tool. */
  function next(): { readonly name: string; readonly args: Json } | undefined {
    const wish = wishes[seen.results.length];
    const name = wish && seen.offered.find((offered) => offered.endsWith(wish.toolEndsWith));
    return wish && name !== undefined ? { name, args: wish.args } : undefined;
  }

  function answerMessages(body: Json, response: ServerResponse): void {
    const tools: readonly Json[] = body.tools ?? [];
    if (tools.length > 0) seen.offered = tools.map(({ name }) => name);
    const contents: readonly Json[] = (body.messages ?? []).flatMap(({ content }: Json) => content);
    const results = contents.filter(({ type }) => type === 'tool_result');
    seen.results = results.map(({ content }) => JSON.stringify(content));
    const call = tools.length > 0 ? next() : undefined;
    const block = call
      ? { type: 'tool_use', id: `toolu_${results.length}`, name: call.name, input: {} }
      : { type: 'text', text: '' };
    const delta = call
      ? { type: 'input_json_delta', partial_json: JSON.stringify(call.args) }
      : { type: 'text_delta', text: SAID };
    const usage = { input_tokens: 1, output_tokens: 1 };
    const message = { id: 'msg_1', type: 'message', role: 'assistant', model: body.model, content: [], usage };
    const stop = { stop_reason: call ? 'tool_use' : 'end_turn', stop_sequence: null };
    if (body.stream !== true) {
      const content = call ? { ...block, input: call.args } : { type: 'text', text: SAID };
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ ...message, ...stop, content: [content] }));
      return;
    }
    stream(response, [
      { type: 'message_start', message },
      { type: 'content_block_start', index: 0, content_block: block },
      { type: 'content_block_delta', index: 0, delta },
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: stop, usage },
      { type: 'message_stop' },
    ]);
  }

  function answerResponses(body: Json, response: ServerResponse): void {
    seen.offered = (body.tools ?? []).flatMap(({ name, type, tools }: Json) =>
      type === 'namespace' ? tools.map((tool: Json) => `${name}${tool.name}`) : typeof name === 'string' ? [name] : [],
    );
    const outputs: readonly Json[] = (body.input ?? []).filter(({ type }: Json) => type === 'function_call_output');
    seen.results = outputs.map(({ output }) => JSON.stringify(output));
    const call = next();
    const space: string | undefined = (body.tools ?? []).find(
      ({ type, name }: Json) => type === 'namespace' && call?.name.startsWith(name),
    )?.name;
    const item = call
      ? {
          type: 'function_call',
          id: `f${outputs.length}`,
          call_id: `call_${outputs.length}`,
          name: space === undefined ? call.name : call.name.slice(space.length),
          ...(space === undefined ? {} : { namespace: space }),
          arguments: JSON.stringify(call.args),
        }
      : { type: 'message', role: 'assistant', id: 'm1', content: [{ type: 'output_text', text: SAID }] };
    const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2 };
    stream(response, [
      { type: 'response.created', response: { id: 'r1' } },
      { type: 'response.output_item.done', output_index: 0, item },
      { type: 'response.completed', response: { id: 'r1', usage } },
    ]);
  }

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get offered() {
      return seen.offered;
    },
    get results() {
      return seen.results;
    },
    async [Symbol.asyncDispose]() {
      server.close().closeAllConnections();
      await once(server, 'close');
    },
  };
}

function stream(response: ServerResponse, events: readonly Json[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const event of events) response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  response.end();
}
