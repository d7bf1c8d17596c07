// What a client does with the four reference servers, written down as it arrives: two ways to the same servers must give
// the same record. Names and URIs are asked for as the way shows them and written down as the server knows them.

import assert from 'node:assert/strict';
import type { Agent, Json, Reply } from './agent.ts';

/** How one server's own names appear to the client. */
export interface Names {
  /** undefined: it is the only one. */
  readonly backend: string | undefined;
  tool(name: string): string;
  uri(uri: string): string;
  /** Takes the backend's marks off again, and what differs from run to run. */
  plain<T>(value: T): T;
}

export type Exercise = (agent: Agent, names: Names) => Promise<Json>;

export function namesOf(backend: string | undefined): Names {
  const [tool, uri] = backend === undefined ? ['', ''] : [`${backend}__`, `${backend}+`];
  const task = new RegExp(`${backend}\\.(?=[0-9a-f]{32})`, 'g');
  const unmark = (text: string): string =>
    backend === undefined ? text : text.replaceAll(tool, '').replaceAll(uri, '').replace(task, '');
  return {
    backend,
    tool: (name) => tool + name,
    uri: (native) => uri + native,
    plain: (value) => JSON.parse(steady(unmark(JSON.stringify(value) ?? 'null'))),
  };
}

const ISO_TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g;
const CLOCK_TIME = /\d{1,2}:\d\d:\d\d\s[AP]M/g;
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const TASK_ID = /[0-9a-f]{32}/g;

function steady(text: string): string {
  return text
    .replace(ISO_TIME, '<time>')
    .replace(CLOCK_TIME, '<clock>')
    .replace(UUID, '<uuid>')
    .replace(TASK_ID, '<task>');
}

export const everything: Exercise = async (agent, names) => {
  const call = (name: string, args: Json = {}): Promise<Reply> =>
    agent.request('tools/call', { name: names.tool(name), arguments: args });
  const read = (uri: string): Promise<Reply> => agent.request('resources/read', { uri: names.uri(uri) });
  const prompt = (name: string, args: Json = {}): Promise<Reply> =>
    agent.request('prompts/get', { name: names.tool(name), arguments: args });
  const complete = (ref: Json, argument: Json, context: Json = {}): Promise<Reply> =>
    agent.request('completion/complete', { ref, argument, context });
  // Four seconds of the server's own; meanwhile the rest goes on.
  const task = runTask(agent, names);
  const record: Json = {
    ...(await lists(agent, names)),
    echo: await call('echo', { message: 'grüße, 世界 🙂\u2028' }),
    sum: await call('get-sum', { a: 2, b: 40 }),
    image: await call('get-tiny-image'),
    annotated: await call('get-annotated-message', { messageType: 'error', includeImage: true }),
    structured: await call('get-structured-content', { location: 'Chicago' }),
    links: await call('get-resource-links', { count: 4 }),
    reference: await call('get-resource-reference', { resourceType: 'Text', resourceId: 3 }),
    wrongArguments: await call('get-sum', { a: 'two' }),
    progress: await withProgress(agent, names.tool('trigger-long-running-operation'), { duration: 2, steps: 4 }),
    sampling: await call('trigger-sampling-request', { prompt: 'Say something', maxTokens: 10 }),
    elicitation: await call('trigger-elicitation-request'),
    urlElicitation: await call('trigger-url-elicitation', { url: 'https://example.com/consent' }),
    urlElicitationRequired: await call('trigger-url-elicitation', { url: 'https://example.com/x', errorPath: true }),
    roots: await call('get-roots-list'),
    readText: await read('demo://resource/static/document/structure.md'),
    readTemplate: await read('demo://resource/dynamic/text/7'),
    readBlob: decoded(await read('demo://resource/dynamic/blob/7')),
    simplePrompt: await prompt('simple-prompt'),
    argsPrompt: await prompt('args-prompt', { city: 'Ghent', state: 'East Flanders' }),
    resourcePrompt: await prompt('resource-prompt', { resourceType: 'Text', resourceId: '2' }),
    promptWithout: await prompt('args-prompt'),
    completePrompt: await complete(
      { type: 'ref/prompt', name: names.tool('completable-prompt') },
      { name: 'name', value: '' },
      { arguments: { department: 'Engineering' } },
    ),
    completeTemplate: await complete(
      { type: 'ref/resource', uri: names.uri('demo://resource/dynamic/text/{resourceId}') },
      { name: 'resourceId', value: '1' },
    ),
    ...(await subscriptions(agent, names)),
    ...(await logging(agent, names)),
    ping: await agent.request('ping'),
    task: await task,
    asked: questions(agent, names),
  };
  return names.plain(record);
};

export const filesystem: (folder: string) => Exercise = (folder) => async (agent, names) => {
  const call = (name: string, args: Json = {}): Promise<Reply> =>
    agent.request('tools/call', { name: names.tool(name), arguments: args });
  return names.plain({
    tools: (await lists(agent, names)).tools,
    write: await call('write_file', { path: `${folder}/note.txt`, content: 'one\ntwo\nthree\n' }),
    read: await call('read_text_file', { path: `${folder}/note.txt`, head: 2 }),
    list: await call('list_directory', { path: folder }),
    outside: await call('read_text_file', { path: '/etc/passwd' }),
  });
};

export const memory: Exercise = async (agent, names) => {
  const call = (name: string, args: Json = {}): Promise<Reply> =>
    agent.request('tools/call', { name: names.tool(name), arguments: args });
  const entities = [{ name: 'Ada', entityType: 'person', observations: ['wrote the first program'] }];
  return names.plain({
    tools: (await lists(agent, names)).tools,
    create: await call('create_entities', { entities }),
    graph: await call('read_graph'),
    search: await call('search_nodes', { query: 'Ada' }),
    remove: await call('delete_entities', { entityNames: ['Ada'] }),
  });
};

export const thinking: Exercise = async (agent, names) =>
  names.plain({
    tools: (await lists(agent, names)).tools,
    thought: await agent.request('tools/call', {
      name: names.tool('sequentialthinking'),
      arguments: { thought: 'First.', thoughtNumber: 1, totalThoughts: 1, nextThoughtNeeded: false },
    }),
  });

/** All pages of all lists; of a way that joins several servers only what belongs to this one. */
async function lists(agent: Agent, names: Names): Promise<Json> {
  const own = (key: string, mark: string) => async (method: string, field: string) => {
    const all = await pages(agent, method, field);
    return all.filter((item) => String(item[key]).startsWith(mark));
  };
  const supported = (name: string): boolean => agent.capabilities[name] !== undefined;
  const byName = own('name', names.tool(''));
  return {
    tools: await byName('tools/list', 'tools'),
    ...(supported('prompts') && { prompts: await byName('prompts/list', 'prompts') }),
    ...(supported('resources') && {
      resources: await own('uri', names.uri(''))('resources/list', 'resources'),
      templates: await own('uriTemplate', names.uri(''))('resources/templates/list', 'resourceTemplates'),
    }),
  };
}

async function pages(agent: Agent, method: string, field: string): Promise<Json[]> {
  const items: Json[] = [];
  let cursor: unknown;
  do {
    const reply = await agent.request(method, cursor === undefined ? {} : { cursor });
    assert.ok('result' in reply, `${method}: ${JSON.stringify(reply)}`);
    items.push(...(reply.result[field] as Json[]));
    cursor = reply.result.nextCursor;
  } while (cursor !== undefined);
  return items;
}

/** What the server asked; one of several is named, so that a client can tell its user who asks. */
function questions({ asked }: Agent, { backend }: Names): Json[] {
  // roots/list comes when the server likes, more often if there are several.
  const relevant = asked.filter(({ method }) => method !== 'roots/list');
  return relevant.map(({ method, params }) => {
    const { _meta: meta, ...own } = params as Json;
    assert.deepEqual(meta, backend === undefined ? undefined : { 'mcp-overlay/backend': backend });
    return { method, params: own };
  });
}

/** The server writes the time of day into its blobs. */
function decoded(reply: Reply): Json {
  if ('error' in reply) return reply;
  const contents = (reply.result.contents as Json[]).map((content) => ({
    ...content,
    blob: Buffer.from(String(content.blob), 'base64').toString('utf8'),
  }));
  return { ...reply.result, contents };
}

async function withProgress(agent: Agent, name: string, args: Json): Promise<Json> {
  const seen: Json[] = [];
  const reply = await agent.request('tools/call', { name, arguments: args }, { onprogress: (step) => seen.push(step) });
  // Both SDKs handle a notification a moment later than an answer: steps that are read together with the answer find
  // nobody waiting, with or without us. So how many were seen is a matter of load, their order is not.
  return { reply, first: seen[0], inOrder: seen.every(({ progress }, index) => progress === index + 1) };
}

async function subscriptions(agent: Agent, names: Names): Promise<Json> {
  const uri = names.uri('demo://resource/dynamic/text/1');
  const subscribed = await agent.request('resources/subscribe', { uri });
  const toggle = { name: names.tool('toggle-subscriber-updates'), arguments: {} };
  await agent.request('tools/call', toggle);
  const updated = await agent.heard('notifications/resources/updated', (params) => params.uri === uri);
  await agent.request('tools/call', toggle);
  return { subscribed, updated, unsubscribed: await agent.request('resources/unsubscribe', { uri }) };
}

async function logging(agent: Agent, names: Names): Promise<Json> {
  const level = await agent.request('logging/setLevel', { level: 'debug' });
  const toggle = { name: names.tool('toggle-simulated-logging'), arguments: {} };
  await agent.request('tools/call', toggle);
  // Which of its eight messages it takes is the server's dice.
  const said = await agent.heard('notifications/message', ({ data }) => /-?level[ -]message/.test(String(data)));
  await agent.request('tools/call', toggle);
  return { level, said: Object.keys(said).sort() };
}

/** A tool that must run as a task (2025-11-25): created, polled, its result fetched, listed. */
async function runTask(agent: Agent, names: Names): Promise<Json> {
  const created = await agent.request('tools/call', {
    name: names.tool('simulate-research-query'),
    arguments: { topic: 'otters' },
    task: { ttl: 60_000 },
  });
  assert.ok('result' in created, JSON.stringify(created));
  const { taskId } = created.result.task as { taskId: string };
  // How far it is by now is a matter of time; the fields are not.
  const polled = await agent.request('tasks/get', { taskId });
  const got = 'result' in polled ? Object.keys(polled.result).sort() : polled;
  const result = await agent.request('tasks/result', { taskId });
  const listed = await pages(agent, 'tasks/list', 'tasks');
  const cancelled = await agent.request('tasks/cancel', { taskId });
  return { created, got, result, listed, cancelled };
}
