// How a backend is reached: rules between the keys of one transport. Keys of another type are refused, because whoever
// wrote them expected something of them.

import { compact, type HttpConfig, type StdioConfig, type TransportConfig } from './config.ts';
import type { Spot } from './errors.ts';
import { type Endpoint, parseEndpoint } from './http-url.ts';
import { type RawTransport, transportShape } from './schema.ts';
import type { ConfiguredText } from './secret/text.ts';
import type { Reading } from './shape.ts';

/** Stands in for what could not be read; the report is not empty then. */
const UNREADABLE: TransportConfig = { type: 'share', token: '' };

export function buildTransport(raw: RawTransport | undefined, reading: Reading): TransportConfig {
  if (raw?.type === undefined) return UNREADABLE;
  const { type } = raw;
  for (const [key, { only }] of Object.entries(transportShape.fields ?? {})) {
    if (!raw.given.has(key) || !only || only.includes(type)) continue;
    reading.report.problem(
      raw.spotOf(key as keyof RawTransport & 'type'),
      `belongs to type ${only.join(' or ')}, not ${type}`,
    );
  }
  if (type === 'stdio') {
    if (!requires(raw, 'command', reading)) return UNREADABLE;
    return buildStdio(
      {
        command: raw.command,
        args: raw.args,
        env: raw.env,
        envPass: raw.env_pass,
        cwd: raw.working_dir,
      },
      raw.spotOf,
      reading,
    );
  }
  if (type === 'share' || type === 'zrok') {
    if (!requires(raw, 'share_token', reading)) return UNREADABLE;
    if (raw.access_key !== undefined && raw.access === undefined) {
      reading.report.note(
        raw.spotOf('access_key'),
        'differs',
        'is the key of a token, and access names none: not used',
      );
    }
    const more = compact({ overlay: raw.overlay, access: raw.access, accessKey: raw.access_key });
    return { type: 'share', token: raw.share_token ?? '', ...more };
  }
  return requires(raw, 'endpoint', reading) ? buildHttp(raw, type, reading) : UNREADABLE;
}

interface StdioParts {
  readonly command: string | undefined;
  readonly args: readonly string[] | undefined;
  readonly env: ReadonlyMap<string, ConfiguredText> | undefined;
  readonly envPass?: readonly string[] | undefined;
  readonly cwd: string | undefined;
}

export function buildStdio(
  parts: StdioParts,
  spotOf: (key: 'command' | 'args') => Spot,
  reading: Reading,
): StdioConfig {
  const { command = '' } = parts;
  return {
    type: 'stdio',
    // A bare name is looked up in PATH; everything else is a path.
    command: /[/~]/.test(command) ? (reading.path(command, spotOf('command')) ?? '') : command,
    args: withHome(parts.args ?? [], spotOf('args'), reading),
    env: Object.fromEntries(parts.env ?? []),
    envPass: parts.envPass ?? [],
    ...compact({ cwd: parts.cwd }),
  };
}

/** `~/` is the home folder, as the Go original's guide writes it. Clients pass it on, so in their files it stays. */
function withHome(args: readonly string[], spot: Spot, reading: Reading): readonly string[] {
  const begins = (arg: string): boolean => arg === '~' || arg.startsWith('~/');
  if (!args.some(begins)) return args;
  const { report, format } = reading;
  if (format === 'mcp-servers') {
    report.note(spot, 'literal', 'an argument begins with ~: no shell is involved, the server gets it as it is');
    return args;
  }
  if (format === 'original') {
    report.note(spot, 'differs', '~/ is the home folder here (the Go original passes it on as it is)');
  }
  const home = reading.path('~', spot) ?? '';
  return args.map((arg) => (begins(arg) ? `${home}${arg.slice(1)}` : arg));
}

function buildHttp(raw: RawTransport, type: 'http' | 'https', reading: Reading): TransportConfig {
  const { report } = reading;
  const endpoint = parseEndpoint(raw.endpoint ?? '');
  const spot = raw.spotOf('endpoint');
  if (!endpoint) {
    if (raw.endpoint !== undefined) report.problem(spot, 'expected an http:// or https:// URL');
    return UNREADABLE;
  }
  if (endpoint.plain && type === 'https') {
    report.problem(
      spot,
      'expected an https:// URL for type https (got http://)',
      'or write type: http and allow_insecure: true',
    );
  } else if (endpoint.plain && raw.allow_insecure !== true) {
    report.problem(
      spot,
      'expected allow_insecure: true for an http:// URL',
      'anybody on the way can read and change what is sent',
    );
  }
  if (endpoint.plain && raw.given.has('tls')) report.problem(raw.spotOf('tls'), 'belongs to https:// URLs');
  if (raw.tls?.insecure_skip_verify) {
    report.note(
      raw.tls.spotOf('insecure_skip_verify'),
      'unsafe',
      'the certificate is not checked: anybody on the way can be this server',
    );
  }
  return httpOf(endpoint, {
    // The original knows nothing else; where it was not meant, the newest that the server has is found.
    protocol: raw.protocol ?? (reading.format === 'original' ? 'sse' : 'auto'),
    headers: raw.headers,
    tls: {
      insecureSkipVerify: raw.tls?.insecure_skip_verify ?? false,
      ...compact({ caCertFile: raw.tls?.ca_cert_file }),
    },
  });
}

export function httpOf(
  endpoint: Endpoint,
  rest: Pick<HttpConfig, 'protocol' | 'tls'> & { headers: ReadonlyMap<string, ConfiguredText> | undefined },
): HttpConfig {
  const headers = new Map(rest.headers ?? []);
  const authorized = [...headers.keys()].some((name) => name.toLowerCase() === 'authorization');
  if (endpoint.basic !== undefined && !authorized) headers.set('Authorization', endpoint.basic);
  return {
    type: 'http',
    url: endpoint.url,
    protocol: rest.protocol,
    headers: Object.fromEntries(headers),
    tls: rest.tls,
    allowInsecure: endpoint.plain,
  };
}

function requires(raw: RawTransport, key: 'command' | 'share_token' | 'endpoint', { report }: Reading): boolean {
  if (raw.given.has(key)) return true;
  const about = transportShape.fields?.[key]?.about.split(':')[0];
  const spot = raw.spotOf(key);
  report.problem({ ...spot, key: `${raw.spotOf().key}.${key}` }, `missing: ${about} (type ${raw.type} needs it)`);
  return false;
}
