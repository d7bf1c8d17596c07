// What a configuration will run, one line a backend, word for word: shown before a file made for another program is run.
// Names of variables and headers, never their values; arguments as they are, save those that look like secrets.

import type { BackendConfig, GatewayConfig, TransportConfig } from './config.ts';
import { escapeChar } from './node.ts';
import { looksSecret } from './secrets.ts';

export function describeBackends(config: Pick<GatewayConfig, 'backends'>): string[] {
  return config.backends.map(
    (backend) => `${backend.id}: ${backend.disabled ? 'disabled' : describeTransport(backend)}`,
  );
}

function describeTransport({ transport, inject }: BackendConfig): string {
  const line = MAKE[transport.type](transport as never);
  const facts = [...line.facts, ...injected(inject)].filter((fact) => fact !== '');
  return facts.length === 0 ? line.what : `${line.what} (${facts.join('; ')})`;
}

type Line = { readonly what: string; readonly facts: readonly string[] };
type Of<K extends TransportConfig['type']> = Extract<TransportConfig, { type: K }>;

const MAKE: { readonly [K in TransportConfig['type']]: (transport: Of<K>) => Line } = {
  stdio: ({ command, args, cwd, env, envPass }) => ({
    what: [command, ...args.map((arg, index) => hideSecret(arg, args[index - 1]))].map(quoteWord).join(' '),
    facts: [cwd === undefined ? '' : `in ${quoteWord(cwd)}`, named('env', Object.keys(env)), named('passes', envPass)],
  }),
  share: ({ token, overlay }) => ({ what: `share ${token}`, facts: [overlay === undefined ? '' : `on ${overlay}`] }),
  http: ({ url, protocol, headers, tls }) => ({
    what: withoutQuery(url),
    facts: [
      protocol,
      named('headers', Object.keys(headers)),
      tls.insecureSkipVerify ? 'certificate not checked' : '',
      tls.caCertFile === undefined ? '' : `ca ${quoteWord(tls.caCertFile)}`,
    ],
  }),
};

function injected(inject: BackendConfig['inject']): string[] {
  if (inject === undefined) return [];
  const own = inject.perIdentity?.own ?? [];
  const names = new Set(
    [inject.shared, ...own].flatMap(({ env, headers }) => [...Object.keys(env), ...Object.keys(headers)]),
  );
  const who = inject.perIdentity === undefined ? '' : ' by identity';
  return [named(`injects${who}`, [...names])];
}

const HIDDEN = '<hidden>';

function hideSecret(arg: string, before: string | undefined): string {
  const [flag, ...value] = arg.split('=');
  if (arg.startsWith('-') && value.length > 0) {
    return looksSecret(value.join('='), flag) === undefined ? arg : `${flag}=${HIDDEN}`;
  }
  // `--api-key VALUE`: the flag says what the next word is.
  const name = before?.startsWith('-') === true ? before : '';
  return looksSecret(arg, name) === undefined ? arg : HIDDEN;
}

function named(what: string, names: readonly string[]): string {
  return names.length === 0 ? '' : `${what} ${names.map((name) => name.replace(UNSEEN, escapeChar)).join(', ')}`;
}

function withoutQuery(url: string): string {
  const { origin, pathname, search } = new URL(url);
  return `${origin}${pathname}${search === '' ? '' : '?…'}`;
}

const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** As a shell would take it back; what a terminal would obey or not show is escaped. */
export function quoteWord(word: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word)) return word;
  if (word.search(UNSEEN) >= 0) return `$'${word.replace(/[\\']/g, '\\$&').replace(UNSEEN, shellEscape)}'`;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

function shellEscape(char: string): string {
  const point = char.codePointAt(0) ?? 0;
  return `\\U${point.toString(16).padStart(8, '0')}`;
}
