// Every key of a gateway's file: what it means, how it is written, what it is when left out. Our files and those of the Go
// original are read by this one table; so are the hints for unknown keys and docs/CONFIG.md. A new key is a new line here,
// in configs/example.yml, and in build.ts where it gets its meaning.

import { issuersShape, tokensShape, trustFile } from './access-shape.ts';
import { alarmsShape } from './alarms-shape.ts';
import { auditShape } from './audit-shape.ts';
import { childrenFields } from './children-shape.ts';
import { globProblem } from './glob.ts';
import { injectShape } from './inject-shape.ts';
import { allowanceFields, backendAllowanceShape } from './limits-shape.ts';
import { onceShape, retryShape } from './once-shape.ts';
import { pinMode, pinsShape } from './pins-shape.ts';
import { identitiesShape, rolesShape, viewsShape } from './policy-shape.ts';
import { reloadShape } from './reload-shape.ts';
import { backendScrubShape, scrubShape } from './scrub-shape.ts';
import {
  argument,
  headerName,
  headerValue,
  secretReference,
  secretsShape,
  urlText,
  variableName,
  variableValue,
} from './secret-shape.ts';
import { bool, choice, count, field, list, mapping, object, parsed, path, type Shape, text, wrong } from './shape.ts';
import { shareTokenRefusal } from './share-token.ts';
import { DURATION_FORM, parseDuration, parseSize } from './units.ts';

const overlay = choice(['local', 'zrok', 'ziti']);
const duration = parsed<number>(DURATION_FORM, (value) => parseDuration(value) ?? { refused: DURATION_FORM });
const shareToken = parsed<string>('a share token', (value) => shareTokenRefusal(value) ?? value);
const glob = parsed<string>('a pattern', (value) => {
  const refused = globProblem(value);
  return refused === undefined ? value : { refused: 'a pattern', hint: refused };
});
const separator = text({ form: '1 to 8 characters, without blanks', pattern: /^[\x21-\x7e]{1,8}$/ });
const prefix = text({ form: 'up to 40 letters, digits, _ or -', pattern: /^[A-Za-z0-9_-]{0,40}$/ });

/** What can be proven: the forms of docs/WIRE.md 12. */
const PRINCIPAL =
  /^(?:ziti:[A-Za-z0-9._-]{1,64}|spiffe:\/\/[a-z0-9._-]{1,255}\/[\x21-\x7e]+|x509:.+|token:[0-9a-f]{24}(?:\/[0-9a-f]{24})?|jwt:https?:\/\/[^#\s]+#.+)$/;
const principalId = text({
  form: 'a principal id (ziti:…, spiffe://…, x509:…)',
  pattern: PRINCIPAL,
  hint: 'as mcp-gateway peers and mcp-tools status show it',
});
const grant = text({
  form: 'a principal id (ziti:…, spiffe://…, x509:…), an e-mail, network or unproven',
  pattern: new RegExp(`${PRINCIPAL.source}|^(?:network|unproven)$|^[^\\s@:]+@[^\\s@]+$`),
});

export const BACKEND_ID_FORM = '1 to 32 letters, digits, _ or -, first a letter or digit, without __';
const backendId = text({ form: BACKEND_ID_FORM, pattern: /^(?!.*__)[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/ });

export const toolsShape = object(
  {
    mode: field(choice(['allow', 'deny']), 'allow: only tools that match are shown; deny: all others', {
      default: 'allow',
    }),
    list: field(
      list(glob),
      "patterns on the backend's own tool names: * ? [a-z] [!a-z], \\ takes the next character as it is; an empty allow list allows nothing",
      {
        default: 'empty',
        example: '[read_*, list_directory]',
      },
    ),
  },
  { later: { strict: 'pinned tool definitions' }, elsewhere: { retry: 'backends[].retry' } },
);

const STDIO = ['stdio'];
const SHARE = ['share', 'zrok'];
const HTTP = ['http', 'https'];

export const transportShape = object({
  type: field(
    choice(['stdio', 'share', 'zrok', 'http', 'https'], {
      sse: 'write type: https and protocol: sse',
      streamable: 'write type: https and protocol: streamable',
    }),
    'how the server is reached: stdio starts a program; share (zrok means the same) dials a bridge or another gateway; https, or http for both schemes, calls a URL',
    { required: true, example: 'stdio' },
  ),
  command: field(
    text({ form: 'the program to run' }),
    'the program to run: a name looked up in PATH, or a path (~/ works, relative to this file)',
    { only: STDIO, example: 'npx' },
  ),
  args: field(
    list(argument),
    'its arguments: no shell is involved, only ~/ at the beginning of one is the home folder',
    {
      only: STDIO,
      default: 'none',
      example: '["-y", "@modelcontextprotocol/server-filesystem", "/data"]',
    },
  ),
  env: field(
    mapping(variableValue, variableName),
    'variables the server gets, besides a short safe set (PATH, HOME, LANG …)',
    { only: STDIO, default: 'none', example: `{ GITHUB_TOKEN: "\${GITHUB_TOKEN}" }` },
  ),
  env_pass: field(
    list(text({ form: variableName.form, pattern: variableName.pattern })),
    'names of our own variables that are passed on as they are',
    { only: STDIO, default: 'none', example: '[SSH_AUTH_SOCK]' },
  ),
  working_dir: field(path(), 'where the server runs', {
    only: STDIO,
    aliases: ['cwd'],
    default: 'where the gateway was started',
    example: '/srv/data',
  }),
  share_token: field(shareToken, 'the share to dial, as the bridge or gateway printed it', {
    only: SHARE,
    aliases: ['token'],
    example: 'build-box',
  }),
  overlay: field(overlay, 'the network the share is on', { only: SHARE, default: "the gateway's own" }),
  access: field(secretReference, 'where an access token is to come with; read again for each connection', {
    only: SHARE,
    default: 'that of --access, if any',
    example: '"file:/run/tokens/build-box"',
  }),
  access_key: field(secretReference, 'where the private key is of whom that token is for (PEM)', {
    only: SHARE,
    default: 'none',
    example: '"file:~/.keys/holder.pem"',
  }),
  endpoint: field(urlText, 'URL of the MCP endpoint; https insists on https://', {
    only: HTTP,
    aliases: ['url'],
    example: 'https://mcp.example.com/mcp',
  }),
  protocol: field(
    choice(['sse', 'streamable', 'auto']),
    'sse is the older transport, which has only the older revisions; auto tries streamable first',
    {
      only: HTTP,
      default: "auto; sse in the Go original's files",
    },
  ),
  headers: field(mapping(headerValue, headerName), 'sent with every request, never to another host', {
    only: HTTP,
    default: 'none',
    example: `{ Authorization: "Bearer \${API_TOKEN}" }`,
  }),
  tls: field(
    object({
      insecure_skip_verify: field(bool(), 'does not check the certificate: development only', { default: 'false' }),
      ca_cert_file: field(path(), 'PEM file with a CA to trust besides those of the system', {
        default: 'none',
        example: '/etc/ssl/certs/internal-ca.pem',
      }),
    }),
    'for https:// only',
    { only: HTTP },
  ),
  allow_insecure: field(bool(), 'must be true for http://, on this machine too', { only: HTTP, default: 'false' }),
});

const backendFields = {
  id: field(backendId, 'names the backend; its tools are called id__tool', { required: true, example: 'fs' }),
  name: field(text(), 'for people', { default: 'the id' }),
  prefix: field(prefix, 'what goes before its names instead of id and separator, as it is; "" for nothing', {
    default: 'id and separator; nothing when there is one backend',
    example: '""',
  }),
  transport: field(transportShape, 'how the server is reached', { required: true }),
  tools: field(toolsShape, 'which tools are shown; without it, all', { default: 'all tools', neverEmpty: true }),
  connect_timeout: field(duration, 'as in aggregator.connection, for this backend', {
    default: 'that of aggregator.connection',
  }),
  call_timeout: field(duration, 'as in aggregator.connection, for this backend', {
    default: 'that of aggregator.connection',
  }),
  shared: field(
    bool(),
    'one process for all clients (stdio): log lines, tasks and questions of the server cannot be told apart, so no client gets them',
    { default: 'false: one process a client' },
  ),
  era: field(
    choice(['auto', 'legacy', 'modern']),
    'what the server speaks: legacy (revisions up to 2025-11-25) or modern (2026-07-28); auto finds out. Clients of either are served, translated where it differs',
    { default: 'auto' },
  ),
  ...childrenFields,
  inject: field(injectShape, 'variables or headers besides those of the transport, the same for all or by who calls'),
  disabled: field(bool(), 'the backend is left out', { default: 'false' }),
  scrub: field(backendScrubShape, 'what is done with what is found in its texts; a mode alone is enough', {
    default: 'that of scrub',
    example: 'wrap',
  }),
  pins: field(pinMode, 'what becomes of its definitions that nobody approved', {
    default: 'that of pins',
    example: 'strict',
  }),
  retry: field(retryShape, 'tools that may run again where nobody knows how a call ended: their server was lost', {
    default: 'none: no call runs twice',
    example: '{ safe: [read_*] }',
    neverEmpty: true,
  }),
  limits: field(backendAllowanceShape, 'as in limits.backends, for this backend', {
    default: 'none',
    neverEmpty: true,
  }),
};

const backendObject = object(backendFields, {
  elsewhere: Object.fromEntries(Object.keys(transportShape.fields ?? {}).map((key) => [key, 'transport'])),
});

const LIMITED = ['rate', 'burst', 'concurrent', 'daily', 'default'];

const size = { form: 'bytes (18MiB, 64KiB)', parse: parseSize };

export const gatewayShape = object(
  {
    share: field(
      object({
        token: field(shareToken, 'a share made with mcp-tools create, kept over restarts', {
          aliases: ['share_token'],
          default: 'a new random share',
          example: 'my-gateway',
        }),
        mode: field(
          choice(['closed'], { open: 'a share is always closed; grants: [unproven] lets in callers without proof' }),
          'closed: only the owner and whom grants name',
          { default: 'closed' },
        ),
        grants: field(
          list(grant),
          'who may come besides the owner: an identity by its id; network: every one that proves itself; unproven: knowingly, callers without a proof; an e-mail: that account may dial (zrok), and its identities are let in with mcp-gateway peers allow',
          { default: 'nobody', example: '[bob@example.com]' },
        ),
        hosts: field(
          list(principalId),
          'identities of the other gateways that host this share: whoever knows this one takes them for it too',
          { default: 'none', example: '["ziti:Ab3dE.f7H"]' },
        ),
        overlay: field(overlay, 'the network to be on; --overlay wins', {
          default: 'zrok if enabled for this user, else local',
        }),
      }),
      'where clients reach the gateway',
    ),
    aggregator: field(
      object(
        {
          name: field(text(), 'server name told to clients', { default: 'mcp-gateway; with one backend, its own' }),
          version: field(text(), 'server version told to clients', { default: 'that of this program' }),
          separator: field(separator, 'between backend id and name; what agents do not accept (:) becomes _', {
            default: '__',
            example: '_',
          }),
          connection: field(
            object({
              connect_timeout: field(duration, 'for a backend to start and answer', { default: '2m' }),
              call_timeout: field(duration, 'for a call without an answer or progress', { default: '10m' }),
              list_wait: field(
                duration,
                "how long a session's first answers wait for slow backends; what comes later is announced",
                { default: '3s' },
              ),
            }),
            'time limits',
          ),
        },
        {
          elsewhere: {
            connect_timeout: 'aggregator.connection',
            call_timeout: 'aggregator.connection',
            list_wait: 'aggregator.connection',
          },
        },
      ),
      'how the gateway presents itself',
    ),
    backends: field(list(lenientWhenDisabled(backendObject)), 'the servers behind the gateway, at least one', {
      required: true,
    }),
    trust: field(
      list(trustFile),
      "files with CAs whose certificates prove identities, besides the network's own: PEM, with their revocation lists, or a SPIFFE bundle (JSON); spiffe://DOMAIN=FILE says which trust domain it is of. Read again when they change: who is not vouched for any more is out within a second",
      { default: 'none', example: '[corp-ca.pem]' },
    ),
    audit: field(auditShape, 'the record of sessions and calls: a chain that shows every change', {
      default: 'in the state folder, under a key made there, durability os, without receipts',
    }),
    tokens: field(tokensShape, 'access tokens of this gateway (mcp-gateway token mint)'),
    issuers: field(issuersShape, 'whose JWTs are believed (OpenID Connect)', { default: 'none' }),
    log_file: field(path(), 'the log goes there instead of stderr, as JSON', { default: 'stderr' }),
    limits: field(
      object(
        {
          message_bytes: field(count(64 * 1024, 256 * 1024 * 1024, size), 'one message, both ways', {
            default: '18MiB',
          }),
          sessions: field(count(1, 100_000), 'clients at a time', { default: '512' }),
          calls_per_session: field(count(1, 100_000), 'calls in flight of one client', { default: '256' }),
          calls_in_all: field(count(1, 100_000), 'calls in flight of all', { default: '1024' }),
          calls_queued: field(count(0, 100_000), 'calls that wait for their turn', { default: '1024' }),
          tools_per_backend: field(count(1, 1_000_000), 'tools of one backend; with more it is refused', {
            default: '10000',
          }),
          definition_bytes: field(count(64 * 1024, 256 * 1024 * 1024, size), 'tool definitions of one backend', {
            default: '32MiB',
          }),
          ...allowanceFields,
        },
        {
          elsewhere: Object.fromEntries(
            LIMITED.map((key) => [key, 'limits.identities, limits.backends or limits.tools']),
          ),
        },
      ),
      'caps; the defaults protect the machine and do not stop a normal agent. What callers may use is not limited unless it says so',
    ),
    roles: field(rolesShape, 'who may do what: with it, nothing is allowed that no rule allows (docs/GOVERNANCE.md)', {
      default: 'no rules: whoever is let in may call everything',
      example: '{ reader: [ { allow: { tools: [read_*] } } ] }',
      neverEmpty: true,
    }),
    identities: field(identitiesShape, 'who has which roles; whoever has one is let in on the share', {
      default: 'nobody has a role',
      neverEmpty: true,
    }),
    enforce: field(bool(), 'false: what rules would refuse goes on, and is recorded as such', { default: 'true' }),
    views: field(viewsShape, 'selections of what is there, for roles or with shares of their own', {
      default: 'none',
      neverEmpty: true,
    }),
    secrets: field(secretsShape, 'how secrets are kept and referred to'),
    once: field(onceShape, 'how outcomes of calls are kept for whoever lost the way to them and asks again'),
    scrub: field(
      scrubShape,
      'what is done with secrets, injected instructions and hidden text in what servers send; a mode alone is enough. Visibility, not a boundary',
      { default: 'flag: recorded, passed on byte for byte' },
    ),
    alarms: field(alarmsShape, 'what rings when an agent runs wild, and who is told (docs/ALARMS.md)', {
      default: 'none; `alarms: {}` logs and records what no normal agent does',
    }),
    pins: field(
      pinsShape,
      'what becomes of definitions of tools, prompts and resource templates, and of instructions, that are new or have changed; a mode alone is enough (docs/PINS.md)',
      { default: 'first-use, kept in the state folder; another version of a server is taken anew after a restart' },
    ),
    reload: field(reloadShape, 'how a changed file is taken over while the gateway runs (docs/RELIABILITY.md)', {
      default: 'watched, 15m',
    }),
    share_token: field(shareToken, 'share.token, as the Go original calls it', { example: 'my-gateway' }),
    orchestrator: field(
      object({
        socket_path: field(path(), 'read, not used'),
        heartbeat_interval: field(duration, 'read, not used'),
      }),
      'managed mode of the Go original: accepted, but its socket is not spoken to',
    ),
  },
  {
    elsewhere: {
      token: 'share',
      grants: 'share',
      hosts: 'share',
      mode: 'share',
      overlay: 'share',
      separator: 'aggregator',
      name: 'aggregator',
      version: 'aggregator',
      connection: 'aggregator',
    },
  },
);

type ValueOf<S> = S extends Shape<infer T> ? T : never;
export type RawGateway = ValueOf<typeof gatewayShape>;
export type RawBackend = ValueOf<typeof backendObject>;
export type RawTransport = ValueOf<typeof transportShape>;
export type RawTools = ValueOf<typeof toolsShape>;

/** A backend that will not run may name variables that are not set. */
function lenientWhenDisabled<T>(shape: Shape<T>): Shape<T> {
  return {
    ...shape,
    read: (node, spot, reading) => {
      const flag = node.kind === 'map' ? node.entries.get('disabled')?.value : undefined;
      const off = flag?.kind === 'scalar' && flag.value === true;
      if (node.kind === 'scalar') return wrong(node, spot, 'a mapping with id and transport', reading);
      return shape.read(node, spot, off ? { ...reading, expand: reading.expandLeniently } : reading);
    },
  };
}
