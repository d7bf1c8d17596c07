// A URL or a bare host of one of the rule's hosts. It must be written as it is meant: no user before the host, no address in
// octal or hex or in IPv6 clothes, no letters that a resolver may fold otherwise. Then every reader sees the same host.

import { domainToASCII, domainToUnicode } from 'node:url';
import type { Located } from '@mcp-overlay/config';
import { type Matcher, type Misfit, ofText } from './matcher.ts';

interface Wanted {
  readonly host: string;
  readonly subdomains: boolean;
  readonly port: string | undefined;
}

interface Found {
  readonly host: string;
  readonly port: string | undefined;
  readonly scheme: string | undefined;
}

/** IDNA 2003 and 2008 make different hosts of these. */
const DEVIATIONS = /[\u00df\u03c2\u200c\u200d]/;
const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: '80', https: '443', ws: '80', wss: '443', ftp: '21' };

export function hostProblem(text: string): string | undefined {
  const read = wantedOf(text);
  return typeof read === 'string' ? read : undefined;
}

export function hostMatcher(allow: readonly Located<string>[], schemes: readonly string[]): Matcher {
  const wanted = allow.map(({ value }) => {
    const read = wantedOf(value);
    if (typeof read === 'string') throw new TypeError(read);
    return read;
  });
  const expected = 'a URL or host of the listed ones';
  return ofText(expected, (text): Misfit | undefined => {
    const found = readHost(text);
    if (typeof found === 'string') return { expected: `${expected}: ${found}`, broken: true };
    if (found.scheme !== undefined && !schemes.includes(found.scheme))
      return { expected: `a URL of ${schemes.join(', ')}` };
    return wanted.some((one) => fits(one, found)) ? undefined : { expected };
  });
}

function fits({ host, subdomains, port }: Wanted, found: Found): boolean {
  if (port !== undefined && port !== (found.port ?? DEFAULT_PORTS[found.scheme ?? ''])) return false;
  // An address has no subdomains, whatever it ends in.
  return subdomains ? found.host.endsWith(`.${host}`) && !isAddress(found.host) : found.host === host;
}

function wantedOf(text: string): Wanted | string {
  const subdomains = text.startsWith('*.');
  const rest = subdomains ? text.slice(2) : text;
  const read = readHost(rest);
  if (typeof read === 'string') return `expected a host, host:port or *.host: ${read}`;
  if (read.scheme !== undefined || rest.includes('/')) return 'expected a host, host:port or *.host, without a scheme';
  if (subdomains && isAddress(read.host)) return 'expected a name after *.';
  if (rest.includes('*')) return 'expected *. at the beginning, and no other star';
  return { host: read.host, subdomains, port: read.port };
}

/** A text: why it cannot be read in one way only. */
function readHost(text: string): Found | string {
  if (/[\p{Cc}\p{Cs}\p{Z}\\]/u.test(text)) return 'it has blanks, control characters or backslashes';
  if (text.normalize('NFC') !== text) return 'it is not in Unicode form NFC';
  const url = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)(.*)$/s.exec(text);
  if (!url && /^[A-Za-z][A-Za-z0-9+.-]*:(?![0-9]{1,5}$)/.test(text)) return 'it is a URL without a host';
  const authority = url ? (url[2] ?? '') : text;
  if (!url && /[/?#]/.test(text)) return 'it is neither a URL nor a host';
  if (authority.includes('@')) return 'it names a user';
  if (authority.includes('%')) return 'its host has percent signs';
  const [, written = '', port] = /^(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?$/.exec(authority) ?? [];
  if (written === '') return 'it has no host, or a port that is none';
  const host = canonicalHost(written);
  if (host === undefined) return 'its host is not written the plain way';
  return { host, port: port === undefined ? undefined : String(Number(port)), scheme: url?.[1]?.toLowerCase() };
}

/** Lower case, punycode, without a dot at its end. undefined: a reader might make another host of it. */
function canonicalHost(written: string): string | undefined {
  const plain = written.toLowerCase().replace(/\.$/, '');
  if (plain === '' || DEVIATIONS.test(plain)) return undefined;
  if (plain.startsWith('[')) {
    const made = hostnameOf(plain);
    // An IPv4 address in IPv6 clothes is that address to whoever connects.
    return made === plain && !/^\[(?:::ffff:|64:ff9b:|2002:)/.test(made) ? made : undefined;
  }
  const ascii = domainToASCII(plain);
  if (ascii === '' || !/^[a-z0-9._-]+$/.test(ascii) || hostnameOf(ascii) !== ascii) return undefined;
  if (ascii.split('.').some((label) => label === '' || label.length > 63)) return undefined;
  // Wide letters, other dots, letters that fold away: another program may keep them.
  const back = domainToUnicode(ascii);
  return plain === ascii || plain === back ? ascii : undefined;
}

function hostnameOf(host: string): string | undefined {
  try {
    return new URL(`http://${host}/`).hostname;
  } catch {
    return undefined;
  }
}

function isAddress(host: string): boolean {
  return host.startsWith('[') || /^[0-9.]+$/.test(host);
}
