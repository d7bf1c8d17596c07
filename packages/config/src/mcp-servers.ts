// Files made for MCP clients: the `mcpServers` of Claude, Cursor, Gemini, Copilot and others, and the `servers` of VS Code.
// What they call allowed, excluded or disabled is honoured; keys we do not know are said and passed over.

import { createHash } from 'node:crypto';
import { checkAnyEnabled } from './build.ts';
import {
  type BackendConfig,
  compact,
  DEFAULTS,
  type GatewayConfig,
  type ToolFilterConfig,
  type TransportConfig,
} from './config.ts';
import { escapeGlob } from './glob.ts';
import { parseEndpoint } from './http-url.ts';
import type { MapNode, Node } from './node.ts';
import { quoteText } from './node.ts';
import { argument, headerName, plainHeaderValue, plainVariableValue, urlText, variableName } from './secret-shape.ts';
import {
  bool,
  choice,
  count,
  field,
  join,
  list,
  mapping,
  object,
  type Reading,
  rootSpot,
  type Shape,
  text,
  wrong,
} from './shape.ts';
import { buildStdio, httpOf } from './transport.ts';

const TYPES = [
  'stdio',
  'local',
  'sse',
  'http',
  'streamable-http',
  'streamableHttp',
  'streamable_http',
  'remote',
] as const;
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
const MAX_TOP_KEYS_SHOWN = 8;
const MAX_ID = 32;

export const serverShape = object(
  {
    type: field(
      choice(TYPES),
      'stdio (local), sse, http (streamable-http), or remote; without it, told by the other keys',
      { aliases: ['transport', 'transportType'] },
    ),
    command: field(text({ form: 'the program to run' }), 'the program to run'),
    args: field(list(argument), 'its arguments'),
    env: field(mapping(plainVariableValue, variableName), 'variables of the server'),
    cwd: field(text({ form: 'a path' }), 'where it runs, relative to the file', {
      aliases: ['workingDirectory', 'working_dir'],
    }),
    url: field(urlText, 'a remote server: streamable first, then SSE', {
      aliases: ['serverUrl', 'endpoint'],
    }),
    httpUrl: field(urlText, 'a remote server, streamable'),
    headers: field(mapping(plainHeaderValue, headerName), 'sent with every request, never to another host'),
    additionalHeaders: field(mapping(plainHeaderValue, headerName), 'the same'),
    disabled: field(bool(), 'the server is left out'),
    enabled: field(bool(), 'false: the server is left out'),
    timeout: field(
      count(1, MAX_TIMEOUT_MS),
      'for a call without an answer or progress, in milliseconds; below 1000 in seconds',
    ),
    includeTools: field(list(text()), 'only these tools are shown', { aliases: ['tools', 'enabledTools'] }),
    excludeTools: field(list(text()), 'these tools are not shown', { aliases: ['disabledTools'] }),
    protocolEra: field(choice(['auto', 'legacy', 'modern']), 'protocol era the server speaks'),
    allowInsecure: field(bool(), 'http:// to another machine is known and wanted'),
  },
  { foreign: true },
);

type RawServer = typeof serverShape extends Shape<infer T> ? T : never;

/** The mapping of servers in a client's file, or undefined when it is none. */
export function findServers(root: Node): { servers: Node; key: string } | undefined {
  if (root.kind !== 'map' || root.entries.has('backends')) return undefined;
  for (const key of ['mcpServers', 'servers']) {
    const found = root.entries.get(key);
    if (found) return { servers: found.value, key };
  }
  // User settings of VS Code: {"mcp": {"servers": {…}}}.
  const inner = root.entries.get('mcp')?.value;
  const nested = inner?.kind === 'map' ? inner.entries.get('servers') : undefined;
  return nested && { servers: nested.value, key: 'mcp.servers' };
}

export function buildFromServers(
  root: MapNode,
  found: { servers: Node; key: string },
  file: string,
  reading: Reading,
): GatewayConfig {
  const spot = { ...found.servers.at, key: found.key };
  const backends = serversOf(found.servers, spot.key, reading);
  const ignored = [...root.entries.keys()].filter((key) => key !== found.key && key !== 'mcp' && key !== '$schema');
  if (ignored.length > 0) {
    const shown = ignored.slice(0, MAX_TOP_KEYS_SHOWN).map((key) => quoteText(key).slice(1, -1));
    const more = ignored.length - shown.length;
    reading.report.note(
      rootSpot(root.at),
      'ignored-key',
      `ignored: ${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`,
    );
  }
  checkAnyEnabled(backends, spot, reading);
  return {
    format: 'mcp-servers',
    file,
    share: { mode: 'closed', grants: [], hosts: [] },
    trust: [],
    tokens: {},
    issuers: [],
    aggregator: {
      separator: DEFAULTS.separator,
      connectTimeoutMs: DEFAULTS.connectTimeoutMs,
      callTimeoutMs: DEFAULTS.callTimeoutMs,
      listWaitMs: DEFAULTS.listWaitMs,
    },
    backends,
    limits: {},
  };
}

function serversOf(servers: Node, key: string, reading: Reading): BackendConfig[] {
  if (servers.kind !== 'map') {
    wrong(servers, { ...servers.at, key }, 'a mapping of servers by name', reading);
    return [];
  }
  const ids = idsOf([...servers.entries.keys()]);
  return [...servers.entries].flatMap(([name, entry]) => {
    const spot = { ...entry.at, key: join(key, name) };
    const id = ids.get(name) ?? '';
    if (entry.value.kind !== 'map') {
      wrong(entry.value, spot, 'a mapping with command or url', reading);
      return [];
    }
    if (id !== name) reading.report.note(spot, 'renamed', `is called ${id} here`);
    const off = isOff(entry.value);
    const raw = serverShape.read(entry.value, spot, off ? { ...reading, expand: reading.expandLeniently } : reading);
    if (!raw) return [];
    if (off) reading.report.note(spot, 'disabled', `${id} is disabled in the file`);
    return [buildServer(raw, id, name, off, reading)];
  });
}

function buildServer(raw: RawServer, id: string, name: string, disabled: boolean, reading: Reading): BackendConfig {
  return {
    id,
    name,
    transport: transportOf(raw, reading),
    disabled,
    ...compact({ tools: toolsOf(raw, reading), callTimeoutMs: timeoutMsOf(raw, reading), era: raw.protocolEra }),
  };
}

/** Gemini and most others mean milliseconds, Cline and Roo seconds. Nobody gives a call less than a second. */
function timeoutMsOf(raw: RawServer, { report }: Reading): number | undefined {
  const { timeout } = raw;
  if (timeout === undefined || timeout >= 1000) return timeout;
  report.note(raw.spotOf('timeout'), 'literal', `is taken as ${timeout} s: below 1000 it can hardly mean milliseconds`);
  return timeout * 1000;
}

function transportOf(raw: RawServer, reading: Reading): TransportConfig {
  const { report } = reading;
  const local =
    raw.type === 'stdio' ||
    raw.type === 'local' ||
    (raw.type === undefined && !raw.given.has('url') && !raw.given.has('httpUrl'));
  if (local) {
    if (!raw.given.has('command')) report.problem(raw.spotOf(), 'expected command, or url');
    const cwd = raw.cwd === undefined ? undefined : reading.path(raw.cwd, raw.spotOf('cwd'));
    return buildStdio({ command: raw.command, args: raw.args, env: raw.env, cwd }, (key) => raw.spotOf(key), reading);
  }
  const key = raw.given.has('httpUrl') ? 'httpUrl' : 'url';
  const written = raw[key];
  const endpoint = parseEndpoint(written ?? '');
  if (!endpoint) {
    if (!raw.given.has(key)) report.problem(raw.spotOf(), `expected url for type ${raw.type}`);
    else if (written !== undefined) report.problem(raw.spotOf(key), 'expected an http:// or https:// URL');
    return { type: 'share', token: '' };
  }
  if (endpoint.plain && !endpoint.loopback && raw.allowInsecure !== true) {
    report.problem(
      raw.spotOf(key),
      'expected an https:// URL, or allowInsecure: true beside it',
      'anybody on the way can read and change what is sent',
    );
  }
  return httpOf(endpoint, {
    protocol: protocolOf(raw, key),
    headers: new Map([...(raw.headers ?? []), ...(raw.additionalHeaders ?? [])]),
    tls: { insecureSkipVerify: false },
  });
}

/** `url` alone says nothing: Gemini means SSE by it, others streamable. The client finds out. */
function protocolOf(raw: RawServer, key: 'url' | 'httpUrl'): 'auto' | 'sse' | 'streamable' {
  if (key === 'httpUrl') return 'streamable';
  if (raw.type === 'sse') return 'sse';
  return raw.type === undefined || raw.type === 'remote' ? 'auto' : 'streamable';
}

/** Names there are literal, except that `*` alone means all. An excluded tool is excluded even where it is included. */
function toolsOf(raw: RawServer, { report }: Reading): ToolFilterConfig | undefined {
  const excluded = raw.excludeTools ?? [];
  if (raw.includeTools && !raw.includeTools.includes('*')) {
    const list = raw.includeTools.filter((name) => !excluded.includes(name)).map(escapeGlob);
    if (list.length === 0)
      report.note(raw.spotOf('includeTools'), 'differs', 'the list is empty: none of its tools is shown');
    return { mode: 'allow', list };
  }
  if (excluded.length === 0) return undefined;
  return { mode: 'deny', list: excluded.map((name) => (name === '*' ? name : escapeGlob(name))) };
}

function isOff(server: MapNode): boolean {
  const is = (key: string, wanted: boolean): boolean => {
    const node = server.entries.get(key)?.value;
    return node?.kind === 'scalar' && node.value === wanted;
  };
  return is('disabled', true) || is('enabled', false);
}

/** Ids that do not depend on the order of the file: names that are ids keep them, others that meet get a hash each. */
export function idsOf(names: readonly string[]): ReadonlyMap<string, string> {
  const wanted = new Map(names.map((name) => [name, idLike(name)] as const));
  const uses = new Map<string, number>();
  for (const id of wanted.values()) uses.set(id, (uses.get(id) ?? 0) + 1);
  const taken = new Set(names.filter((name) => wanted.get(name) === name));
  return new Map(
    [...wanted].map(([name, id]) => {
      if (id === name || uses.get(id) === 1) return [name, id];
      for (let round = 0; ; round += 1) {
        const hash = createHash('sha256').update(`${round}${name}`).digest('hex').slice(0, 6);
        const unique = `${id.slice(0, MAX_ID - 7).replace(/[_-]+$/, '')}-${hash}`;
        if (taken.has(unique) || uses.has(unique)) continue;
        taken.add(unique);
        return [name, unique];
      }
    }),
  );
}

function idLike(name: string): string {
  const id = name
    .slice(0, 256)
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^A-Za-z0-9_-]+/g, '-')
    .replace(/_{2,}/g, '_')
    .replace(/^[_-]+/, '')
    .slice(0, MAX_ID)
    .replace(/-+$/, '');
  return id === '' ? 'server' : id;
}
