// Public URIs of resources where several backends meet: `<backend>+<uri>`, `ui://<backend>/<rest>`, http(s) unchanged.
// The prefix is part of the scheme, so any URI and URI template stays valid and routing needs no state (RFC 3986 3.1).

export interface UriNaming {
  toPublic(backend: string, uri: string): string;
  /** undefined: the URI carries no backend; whoever owns it must be looked up. */
  toNative(uri: string): { readonly backend: string; readonly uri: string } | undefined;
}

/** One backend, or names that stay as they are. */
export const UNCHANGED: UriNaming = { toPublic: (_backend, uri) => uri, toNative: () => undefined };

const UI = 'ui://';

export function prefixedUris(backends: readonly string[]): UriNaming {
  const schemes = new Map(backends.map((id) => [schemeOf(id), id] as const));
  const known = new Set(backends);
  return {
    toPublic: (backend, uri) => {
      if (/^https?:/i.test(uri)) return uri;
      return uri.startsWith(UI) ? `${UI}${backend}/${uri.slice(UI.length)}` : `${schemeOf(backend)}+${uri}`;
    },
    toNative: (uri) => {
      if (uri.startsWith(UI)) {
        const slash = uri.indexOf('/', UI.length);
        const backend = uri.slice(UI.length, slash);
        return slash > 0 && known.has(backend) ? { backend, uri: UI + uri.slice(slash + 1) } : undefined;
      }
      const plus = uri.indexOf('+');
      const backend = plus > 0 ? schemes.get(uri.slice(0, plus)) : undefined;
      return backend === undefined ? undefined : { backend, uri: uri.slice(plus + 1) };
    },
  };
}

/** A scheme has no `_` and begins with a letter. Injective, because ids have neither `.` nor `__`. */
function schemeOf(id: string): string {
  const scheme = id.replaceAll('_', '.');
  return /^[a-zA-Z]/.test(scheme) ? scheme : `x..${scheme}`;
}
