// Links and images that would carry data away when they are shown or followed: Markdown, HTML and CSS. Without a list of
// hosts only those count that look like carriers; with one, every address with a query outside it.

export interface LinkSpan {
  readonly rule: 'link-exfil' | 'link-outside' | 'link-script';
  readonly start: number;
  readonly end: number;
}

export type HostCheck = (host: string) => boolean;

const MAX_URL = 2048;
const TARGET =
  /(?:\]\(\s{0,4}<?|\]:\s{0,4}<?|\b(?:src|href|action|poster|background|srcset|formaction)\s{0,4}=\s{0,4}["']?|\burl\(\s{0,4}["']?)((?:https?:|ftp:|javascript:|vbscript:|data:text\/html|\/\/)[^\s"'<>)]{1,2048})/gi;
/** A place where somebody else's text is to be put. */
const PLACEHOLDER =
  /\{[^}]{1,64}\}|%7b[^%]{1,64}%7d|<[a-z_ -]{2,40}>|%3c[a-z_%0-9 -]{2,40}%3e|\[[a-z_ -]{3,40}\]|\$\(?[a-z_]{3,40}|[?&/=](?:your|the|user|insert)[_-][a-z_-]{3,40}|[=/](?:[A-Z]{3,20}_)+[A-Z]{3,20}\b|(?:secret|sensitive|stolen|exfil|leak|conversation|chat_?history|system_?prompt|password|credential|api_?key|private)/i;
const CARRIER_PARAMETER =
  /[?&](?:data|d|payload|exfil|leak|stolen|secret|secrets|token|info|content|ctx|context|history|chat|conversation|prompt|creds?|credentials|password|pwd|keys?|api_?key|session|cookies?|env|body|msg|message|text|summary|dump|email|mail|q)=[^&]/i;
/** Long values that are no words: what was encoded to be carried. */
const ENCODED_VALUE = /[?&][A-Za-z0-9_.-]{1,32}=(?:[A-Za-z0-9+/_-]{40,}|(?:%[0-9a-fA-F]{2}){8,})/;
/** Services that show their owner every request; addresses without a name. */
const COLLECTOR =
  /^(?:.*\.)?(?:webhook\.site|requestbin\.\w+|pipedream\.net|beeceptor\.com|ngrok(?:-free)?\.(?:io|app|dev)|trycloudflare\.com|oast\.\w+|oastify\.com|interact\.sh|burpcollaborator\.net|requestcatcher\.com|hookbin\.com|canarytokens\.\w+|dnslog\.cn|serveo\.net|localhost\.run|postb\.in)$|^\d{1,3}(?:\.\d{1,3}){3}$|(?:^|[.-])(?:evil|attacker|exfil|malicious|c2)(?:[.-]|$)/i;
const PRIVATE = /^(?:127\.|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|0\.0\.0\.0$)/;
/** An image is fetched without a click: what a badge needs is little. */
const BADGES =
  /(?:^|\.)(?:shields\.io|badgen\.net|badge\.fury\.io|githubusercontent\.com|github\.com|codecov\.io|coveralls\.io|circleci\.com|travis-ci\.(?:org|com)|appveyor\.com|snyk\.io|npmjs\.com|opencollective\.com|gitter\.im|readthedocs\.(?:org|io)|bundlephobia\.com|packagephobia\.(?:com|now\.sh)|sonarcloud\.io|netlify\.com|youtube\.com|saucelabs\.com|bestpractices\.dev|deepwiki\.com|pepy\.tech|star-history\.com|scorecard\.dev|visitor-badge\.\w+|wikipedia\.org|google\.com|twitter\.com|x\.com|facebook\.com|linkedin\.com|reddit\.com|stackoverflow\.com|marketplace\.visualstudio\.com|bing\.com|duckduckgo\.com)$/i;

export function mayHaveLinks(text: string): boolean {
  return text.includes('](') || text.includes(']:') || text.includes('=') || /url\(/i.test(text);
}

/** `listed`: hosts to which anything may go; undefined where none are configured. */
export function linksIn(text: string, listed: HostCheck | undefined): LinkSpan[] {
  const spans: LinkSpan[] = [];
  for (const match of text.matchAll(TARGET)) {
    const [whole, url = ''] = match;
    const end = match.index + whole.length;
    const rule = judge(
      url,
      text.charAt(match.index) === ']' ? imageBefore(text, match.index) : /src|background|url|poster/i.test(whole),
      listed,
    );
    if (rule !== undefined) spans.push({ rule, start: end - url.length, end });
  }
  return spans;
}

function judge(url: string, loads: boolean, listed: HostCheck | undefined): LinkSpan['rule'] | undefined {
  if (/^(?:javascript|vbscript|data):/i.test(url))
    return /^javascript:(?:void|;|\/\/|$|history|window\.print)/i.test(url) ? undefined : 'link-script';
  const [, host = '', rest = ''] =
    /^(?:[a-z]+:)?\/\/(?:[^/?#@]*@)?(\[[0-9a-f:.]+\]|[^/?#:]*)(?::\d+)?(.*)$/i.exec(url.slice(0, MAX_URL)) ?? [];
  if (host === '') return undefined;
  if (listed) {
    if (listed(host.toLowerCase())) return undefined;
    return rest.includes('?') ? 'link-outside' : carries(host, rest, loads) ? 'link-exfil' : undefined;
  }
  return carries(host, rest, loads) ? 'link-exfil' : undefined;
}

function carries(host: string, rest: string, loads: boolean): boolean {
  const query = rest.includes('?') ? rest.slice(rest.indexOf('?')) : '';
  if (BADGES.test(host)) return false;
  const collected = COLLECTOR.test(host) && !PRIVATE.test(host);
  if (query === '') return collected && (loads || PLACEHOLDER.test(rest));
  if (collected) return true;
  if (!loads) return CARRIER_PARAMETER.test(query) && PLACEHOLDER.test(query);
  return CARRIER_PARAMETER.test(query) || PLACEHOLDER.test(query) || ENCODED_VALUE.test(query);
}

/** Whether the `]` at `close` ends `![…]`. */
function imageBefore(text: string, close: number): boolean {
  // A picture that is a link: `[![alt](picture)](link)`.
  if (text.charAt(close - 1) === ')') return false;
  const open = text.lastIndexOf('[', close);
  return open > 0 && close - open < 512 && text.charAt(open - 1) === '!';
}
