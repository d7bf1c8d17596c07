// The URL of an HTTP backend: parsed once here. A user and password in it become a header, because fetch refuses them.

export interface Endpoint {
  /** Without user, password and fragment. */
  readonly url: string;
  readonly plain: boolean;
  readonly loopback: boolean;
  /** Value of an Authorization header. */
  readonly basic?: string;
}

/** undefined: no http or https URL. */
export function parseEndpoint(text: string): Endpoint | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if ((url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') return undefined;
  const basic = url.username === '' && url.password === '' ? undefined : basicOf(url);
  if (basic === null) return undefined;
  url.username = '';
  url.password = '';
  url.hash = '';
  return {
    url: url.href,
    plain: url.protocol === 'http:',
    loopback: isLoopback(url.hostname),
    ...(basic === undefined ? {} : { basic }),
  };
}

function basicOf({ username, password }: URL): string | null {
  try {
    const both = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return `Basic ${Buffer.from(both, 'utf8').toString('base64')}`;
  } catch {
    return null;
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
