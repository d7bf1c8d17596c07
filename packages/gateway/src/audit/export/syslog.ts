// RFC 5424: header, structured data, a sentence. In values `"`, `\` and `]` are escaped (6.3.3); control characters become
// `#` and three octal digits, as syslog daemons write them, so that a record is one line whatever carries it.

import { argsDigest, type Format, PRODUCT, plain, resultDigest, type Severity, sentence, severityOf } from './facts.ts';

/** "log audit" (RFC 5424, table 1). */
const FACILITY = 13;
const SEVERITIES: Readonly<Record<Severity, number>> = { error: 3, warning: 4, notice: 5, info: 6 };
/** 32473 is the enterprise number for documentation (RFC 5612); a site that has one of its own replaces it. */
const SD_ID = 'mcpAudit@32473';
const MEMBERS = [
  'log', 'seq', 'session', 'ident', 'name', 'claimed', 'method', 'from', 'backend', 'kind', 'target', 'decision', 'rule',
  'role', 'policy', 'of', 'status', 'code', 'ms', 'bytes', 'why', 'reason', 'what', 'by', 'digest',
] as const; // biome-ignore format: a table
/** HOSTNAME and APP-NAME are printable ASCII of limited length. */
const HOST_CHARS = 255;

export const syslog: Format = (read, { host }) => {
  const { record, hash } = read;
  const priority = FACILITY * 8 + SEVERITIES[severityOf(read)];
  const name = host.replace(/[^\x21-\x7e]/g, '').slice(0, HOST_CHARS) || '-';
  const params = [
    ...MEMBERS.map((member) => [member, plain(read, member)] as const),
    ['argsHmac', argsDigest(read)] as const,
    ['resultHmac', resultDigest(read)] as const,
    ['hash', `sha256:${hash}`] as const,
  ].flatMap(([key, value]) => (value === undefined ? [] : [`${key}="${inParam(value)}"`]));
  const data = `[${SD_ID} ${params.join(' ')}]`;
  return `<${priority}>1 ${record.ts} ${name} ${PRODUCT} - ${record.type} ${data} ${controlled(sentence(read))}`;
};

function inParam(text: string): string {
  return controlled(text).replace(/["\\\]]/g, '\\$&');
}

function controlled(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, (char) => `#${char.charCodeAt(0).toString(8).padStart(3, '0')}`);
}
