// ArcSight Common Event Format. In the header `\` and `|` are escaped, in values `\`, `=` and line breaks; nothing else may
// be ("Implementing ArcSight Common Event Format", Character Encoding). Custom fields carry their labels.

import { argsDigest, type Format, PRODUCT, plain, sentence, severityOf, VENDOR } from './facts.ts';

/** 0 to 10. */
const SEVERITIES = { info: 1, notice: 3, warning: 6, error: 8 } as const;

export const cef: Format = (read, { version }) => {
  const { record, hash } = read;
  const signature = [record.type, record.status].filter((part) => part !== undefined).join(':');
  const head = ['CEF:0', VENDOR, PRODUCT, version, signature, sentence(read), String(SEVERITIES[severityOf(read)])];
  const fields: [string, string | undefined][] = [
    ['rt', String(Date.parse(String(record.ts)))],
    ['externalId', plain(read, 'seq')],
    ['deviceExternalId', plain(read, 'log')],
    ['suser', plain(read, 'ident')],
    ['app', 'MCP'],
    ['requestMethod', plain(read, 'method')],
    ['act', plain(read, 'decision')],
    ['outcome', plain(read, 'status')],
    ['reason', plain(read, 'code') ?? plain(read, 'why') ?? plain(read, 'reason')],
    ['out', plain(read, 'bytes')],
    ['cnt', plain(read, 'count')],
    ...custom('cn1', 'session', plain(read, 'session')),
    ...custom('cn2', 'intent', plain(read, 'of')),
    ...custom('cfp1', 'durationMs', plain(read, 'ms')),
    ...custom('cs1', 'backend', plain(read, 'backend')),
    ...custom('cs2', 'target', plain(read, 'target')),
    ...custom('cs3', 'rule', plain(read, 'rule')),
    ...custom('cs4', 'policy', plain(read, 'policy')),
    ...custom('cs5', 'argumentsHmac', argsDigest(read)),
    ...custom('cs6', 'recordHash', `sha256:${hash}`),
  ];
  const extension = fields.flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${inValue(value)}`]));
  return `${head.map((part, at) => (at === 0 ? part : inHead(part))).join('|')}|${extension.join(' ')}`;
};

function custom(key: string, label: string, value: string | undefined): [string, string | undefined][] {
  return value === undefined
    ? []
    : [
        [`${key}Label`, label],
        [key, value],
      ];
}

/** A header stands on one line, and CEF has no escape for a line break there. */
function inHead(text: string): string {
  return oneLine(text).replace(/[\\|]/g, '\\$&');
}

function inValue(text: string): string {
  return text
    .replace(/[\\=]/g, '\\$&')
    .replace(/\r\n|\n|\u2028|\u2029|\u0085/g, '\\n')
    .replace(/\r/g, '\\r')
    .replace(/[\p{Cc}]/gu, ' ');
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, ' ');
}
