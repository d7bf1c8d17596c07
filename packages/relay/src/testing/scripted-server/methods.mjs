// What each method of the scripted server answers. Tools stand in ./tools.mjs, tasks in ./tasks.mjs.

import { LANGUAGES, PROMPTS, plainTool, RESOURCES, TEMPLATES, TOOLS } from './catalog.mjs';
import { createLedger } from './ledger.mjs';
import { RpcError } from './server.mjs';
import { createTasks } from './tasks.mjs';
import { createTools } from './tools.mjs';

const VERSIONS = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'];
const ALL = ['tools', 'resources', 'prompts', 'completions', 'logging', 'tasks'];
const BYTES = Buffer.from([0, 1, 2, 255]).toString('base64');

export function createMethods(script, server, output) {
  const capable = new Set(script.capabilities ?? ALL);
  const revisions = new Map();
  let tools = [
    ...TOOLS.filter(({ name }) => script.tools === undefined || script.tools.includes(name)),
    ...Array.from({ length: script.extraTools ?? 0 }, (_, n) => plainTool(`extra_${n}`)),
  ];
  const ledger = createLedger(script);
  const callTool = createTools(script, server, output, ledger);
  const tasks = createTasks(server, callTool);

  const methods = {
    initialize({ protocolVersion, capabilities, clientInfo }) {
      Object.assign(server.seen, { client: { capabilities, clientInfo }, protocol: protocolVersion });
      return {
        protocolVersion:
          script.protocolVersion ?? (VERSIONS.includes(protocolVersion) ? protocolVersion : '2025-11-25'),
        capabilities: declared(capable),
        serverInfo: {
          name: script.name ?? 'scripted',
          title: 'Scripted server',
          version: '1.0.0',
          websiteUrl: 'https://example.com',
        },
        ...(script.instructions === undefined ? {} : { instructions: script.instructions }),
      };
    },
    ping: () => ({}),
    'tools/list': ({ cursor }) => page('tools', tools, cursor),
    async 'tools/call'(params, call) {
      if (!tools.some(({ name }) => name === params.name)) throw new RpcError(-32602, `Unknown tool: ${params.name}`);
      return params.task === undefined ? callTool(params, call) : tasks.create(params, call);
    },
    'resources/list': ({ cursor }) => page('resources', RESOURCES, cursor),
    'resources/templates/list': ({ cursor }) => page('resourceTemplates', TEMPLATES, cursor),
    'resources/read': ({ uri }) => ({ contents: [readResource(uri)], _meta: { 'example.com/read': true } }),
    'resources/subscribe': ({ uri }) => subscription(uri, 'add'),
    'resources/unsubscribe': ({ uri }) => subscription(uri, 'delete'),
    'prompts/list': ({ cursor }) => page('prompts', PROMPTS, cursor),
    'prompts/get': ({ name, arguments: values }) => getPrompt(name, values ?? {}),
    'completion/complete': ({ ref, argument, context }) => complete(ref, argument, context),
    'logging/setLevel': ({ level }) => {
      server.seen.level = level;
      return {};
    },
    ...tasks.methods,
    /** A method nobody has heard of, for those who must pass such things on. */
    'x/echo': (params) => ({ params }),
  };

  function page(key, all, cursor) {
    const from = cursor === undefined ? 0 : Number(Buffer.from(cursor, 'base64url').toString());
    if (!Number.isInteger(from) || from < 0 || from > all.length) throw new RpcError(-32602, 'Invalid cursor');
    const to = from + (script.pageSize ?? all.length);
    const next = to < all.length ? { nextCursor: Buffer.from(String(to)).toString('base64url') } : {};
    return { [key]: all.slice(from, to), ...next, _meta: { 'example.com/page': from } };
  }

  function readResource(uri) {
    const item = /^scripted:\/\/item\/(.+)$/.exec(uri)?.[1];
    if (item !== undefined) return { uri, mimeType: 'application/json', text: JSON.stringify({ id: item }) };
    const known = RESOURCES.find((resource) => resource.uri === uri);
    if (known === undefined) throw new RpcError(-32002, 'Resource not found', { uri });
    const { mimeType } = known;
    if (known.name === 'binary') return { uri, mimeType, blob: BYTES };
    return {
      uri,
      mimeType,
      text: `${known.name} ${revisions.get(uri) ?? 0} of ${process.pid}`,
      _meta: { 'example.com/n': 1 },
    };
  }

  function subscription(uri, change) {
    server.seen.subscriptions[change](uri);
    return {};
  }

  return {
    async request(method, params, call) {
      const handler = Object.hasOwn(methods, method) ? methods[method] : undefined;
      const area = AREAS[method.split('/')[0]];
      if (handler === undefined || (area !== undefined && !capable.has(area))) {
        throw new RpcError(-32601, `Method not found: ${method}`);
      }
      return handler(params, call);
    },
    notified(method) {
      if (method === 'notifications/initialized') void callTool.acts(script.atInitialized ?? []);
    },
    cancelled: (id, reason) => ledger('cancelled', { id, reason: reason ?? null }),
    changeTools(add, remove, silent) {
      tools = [...tools.filter(({ name }) => !remove.includes(name)), ...add.map(plainTool)];
      if (!silent) server.notify('notifications/tools/list_changed');
      return tools.length;
    },
    updateResource(uri) {
      revisions.set(uri, (revisions.get(uri) ?? 0) + 1);
      if (server.seen.subscriptions.has(uri)) server.notify('notifications/resources/updated', { uri });
    },
  };
}

const AREAS = {
  tools: 'tools',
  resources: 'resources',
  prompts: 'prompts',
  completion: 'completions',
  logging: 'logging',
  tasks: 'tasks',
};

function declared(capable) {
  const all = {
    tools: { listChanged: true },
    resources: { subscribe: true, listChanged: true },
    prompts: { listChanged: true },
    completions: {},
    logging: {},
    tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } },
  };
  return Object.fromEntries(Object.entries(all).filter(([name]) => capable.has(name)));
}

function getPrompt(name, { name: whom, language = 'english' }) {
  if (!PROMPTS.some((prompt) => prompt.name === name)) throw new RpcError(-32602, `Unknown prompt: ${name}`);
  if (name === 'greet' && whom === undefined) throw new RpcError(-32602, 'Missing argument: name');
  return {
    description: `The prompt ${name}`,
    messages: [
      {
        role: 'user',
        content: { type: 'text', text: name === 'greet' ? `Greet ${whom} in ${language}` : 'Say something plain' },
      },
      {
        role: 'assistant',
        content: { type: 'resource', resource: { uri: 'scripted://text', mimeType: 'text/plain', text: 'so' } },
      },
    ],
    _meta: { 'example.com/prompt': name },
  };
}

function complete(ref, { name, value }, context) {
  const all =
    name === 'language'
      ? LANGUAGES
      : [`${ref.name ?? ref.uri}:${name}:${value}`, ...Object.keys(context?.arguments ?? {})];
  const values = all.filter((one) => name !== 'language' || one.startsWith(value));
  return { completion: { values, total: values.length, hasMore: false }, _meta: { 'example.com/ref': ref } };
}
