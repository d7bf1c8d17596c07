// What the scripted server offers: tools, resources, templates, prompts, each with all the metadata of 2025-11-25, so
// that a relay which rebuilds objects field by field loses something a test can see.

const ICONS = [{ src: 'data:image/svg+xml;base64,PHN2Zy8+', mimeType: 'image/svg+xml', sizes: ['any'], theme: 'dark' }];
const META = { 'example.com/note': { kept: true, list: [1, 2.5, null] } };

function tool(name, title, description, properties = {}, more = {}) {
  return {
    name,
    title,
    description,
    icons: ICONS,
    inputSchema: {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties,
      'x-vendor': name,
    },
    annotations: { title: `${title} (annotated)`, readOnlyHint: true, openWorldHint: false, 'x-hint': 1 },
    _meta: META,
    ...more,
  };
}

const ANY = {};
const NUMBER = { type: 'number' };
const STRING = { type: 'string' };

/** `echo` and `echo_twin` have one title on purpose: two equal titles must stay equal. */
export const TOOLS = [
  tool('echo', 'Echo', 'Returns its arguments and what it knows of the call', { nonce: STRING, payload: ANY }),
  tool('echo_twin', 'Echo', 'The same under another name', { nonce: STRING, payload: ANY }),
  tool('env', 'Environment', 'The whole environment and the working folder of this process'),
  tool('pid', 'Process', 'Pid, parent and group of this process'),
  tool('counter', 'Counter', 'Counts the calls of this tool in this process: 1, 2, 3 ...'),
  tool('state', 'State', 'Keeps a value in this process and returns the one before', { value: ANY }),
  tool('seen', 'Seen', 'What this server knows of its client: capabilities, info, level, subscriptions, notifications'),
  tool('sleep', 'Sleep', 'Answers after so long', { ms: NUMBER }),
  tool('hang', 'Hang', 'Never answers'),
  tool('big', 'Big', 'A text of so many bytes', { bytes: NUMBER }),
  tool('fail', 'Fail', 'A result with isError', { message: STRING }),
  tool('refuse', 'Refuse', 'A JSON-RPC error', { code: NUMBER, message: STRING, data: ANY }),
  tool('contents', 'Contents', 'One content block of each kind, with annotations and _meta'),
  tool(
    'structured',
    'Structured',
    'Structured content',
    { value: ANY },
    {
      outputSchema: { type: 'object', properties: { value: ANY, at: NUMBER }, required: ['value'] },
    },
  ),
  tool('ask', 'Ask', 'Sends a request to the client and returns its answer', { method: STRING, params: ANY }),
  tool('progress', 'Progress', 'Reports progress', { steps: NUMBER, everyMs: NUMBER }),
  tool('log', 'Log', 'Sends log messages', { level: STRING, count: NUMBER, data: ANY }),
  tool('act', 'Act', 'Performs acts and returns what they told', { acts: { type: 'array' } }),
  tool('task', 'Task', 'Runs as a task', { ms: NUMBER }, { execution: { taskSupport: 'optional' } }),
];

export function plainTool(name) {
  return tool(name, name, `The tool ${name}: as echo`, { nonce: STRING, payload: ANY });
}

export const RESOURCES = [
  {
    uri: 'scripted://text',
    name: 'text',
    title: 'A text',
    description: 'Changes with each `update`',
    mimeType: 'text/plain',
    size: 12,
    icons: ICONS,
    annotations: { audience: ['user', 'assistant'], priority: 0.5, lastModified: '2025-11-25T00:00:00Z' },
    _meta: META,
  },
  { uri: 'scripted://binary', name: 'binary', title: 'Some bytes', mimeType: 'application/octet-stream', _meta: META },
  { uri: 'file:///scripted/notes.txt', name: 'notes', mimeType: 'text/plain' },
];

export const TEMPLATES = [
  {
    uriTemplate: 'scripted://item/{id}',
    name: 'item',
    title: 'An item',
    description: 'Any id',
    mimeType: 'application/json',
    icons: ICONS,
    annotations: { audience: ['assistant'], priority: 1 },
    _meta: META,
  },
];

export const PROMPTS = [
  { name: 'plain', title: 'Plain', description: 'No arguments', icons: ICONS, _meta: META },
  {
    name: 'greet',
    title: 'Greet',
    description: 'Greets somebody',
    arguments: [
      { name: 'name', title: 'Name', description: 'Whom', required: true },
      { name: 'language', description: 'How', required: false },
    ],
    _meta: META,
  },
];

export const LANGUAGES = ['english', 'finnish', 'french', 'german', 'greek'];

/** One block of each kind that 2025-11-25 knows. */
export const CONTENTS = [
  { type: 'text', text: 'häuser ☃ \u{1f600}', annotations: { audience: ['user'], priority: 0.1 }, _meta: META },
  { type: 'image', data: 'iVBORw0KGgo=', mimeType: 'image/png', _meta: META },
  { type: 'audio', data: 'UklGRg==', mimeType: 'audio/wav' },
  { type: 'resource_link', uri: 'scripted://text', name: 'text', title: 'A link', icons: ICONS, _meta: META },
  { type: 'resource', resource: { uri: 'scripted://text', mimeType: 'text/plain', text: 'embedded', _meta: META } },
  { type: 'resource', resource: { uri: 'scripted://binary', mimeType: 'application/octet-stream', blob: 'AAEC/w==' } },
];
