// The ways to read one URI. Servers decode percent signs, drop dot segments and ignore case in schemes and hosts, each as it
// likes; a rule that knew only the URI as it came could be passed by another spelling of it.

const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:/;
/** Decoding stops here: what is encoded more often was made to be misread. */
const MAX_DECODES = 3;

/** As it came, and as a server may read it; empty for what cannot be read in one way. */
export function formsOfUri(uri: string): readonly string[] {
  // Most have nothing that could be read otherwise.
  if (/^[a-z][a-z0-9+.-]*:\/\/[a-z0-9._-]*(?:\/[A-Za-z0-9_~-][A-Za-z0-9._~{}-]*)*\/?$/.test(uri)) return [uri];
  if (/[\p{Cc}\p{Cs}\\]/u.test(uri)) return [];
  let decoded = uri;
  for (let round = 0; round < MAX_DECODES && decoded.includes('%'); round += 1) {
    const next = decode(decoded);
    if (next === undefined) return [];
    if (next === decoded) break;
    decoded = next;
  }
  if (/%[0-9A-Fa-f]{2}/.test(decoded) || /[\p{Cc}\p{Cs}\\]/u.test(decoded)) return [];
  return [...new Set([uri, canonical(decoded.normalize('NFC')), canonical(uri)])];
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function canonical(uri: string): string {
  const scheme = SCHEME.exec(uri)?.[0] ?? '';
  const rest = uri.slice(scheme.length);
  const [, authority = '', path = '', tail = ''] = /^(\/\/[^/?#]*)?([^?#]*)(.*)$/s.exec(rest) ?? [];
  return scheme.toLowerCase() + authority.toLowerCase() + withoutDots(path) + tail;
}

/** Dot segments and empty ones taken out, as file systems do. */
function withoutDots(path: string): string {
  if (path === '') return path;
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop();
    else if (segment !== '.' && segment !== '') kept.push(segment);
  }
  const end = /(?:^|\/)\.{0,2}$/.test(path) && kept.length > 0 ? '/' : '';
  return (path.startsWith('/') ? '/' : '') + kept.join('/') + end;
}
