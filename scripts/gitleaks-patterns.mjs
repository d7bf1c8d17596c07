// Makes packages/gateway/patterns/secrets.yml from the rules of gitleaks (MIT, its licence stands beside as secrets.LICENSE):
//   node --import tsx scripts/gitleaks-patterns.mjs rules.json
// Each rule gets a test text made from its own expression, random characters written as {{[set]:count}}.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { entryProblem } from '../packages/gateway/src/scrub/pattern-files.ts';
import { parseTree } from '../packages/gateway/test/scrub/regex-tree.ts';
import { root } from './ensure.mjs';

/** Too wide for what passes a gateway, or too long for one piece of text; our own stand in secrets-own.yml. */
const LEFT_OUT = new Set([
  'jwt',
  'vault-service-token',
  'generic-api-key',
  'private-key',
  'curl-auth-user',
  'curl-auth-header',
  'hashicorp-tf-password',
  'sourcegraph-access-token',
  'kubernetes-secret-yaml',
  'freemius-secret-key',
  'pypi-upload-token',
]);
/** Two letters are in every text; what these must begin with is known better. */
const SHARPER = {
  'twilio-api-key': { reach: 40 },
  'azure-ad-client-secret': { reach: 64 },
};
const CRITICAL =
  /aws|gcp|azure|github|gitlab|stripe|private|openai|anthropic|vault|kubernetes|digitalocean|heroku|npm|slack/;

const { rules } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const patterns = [];
for (const { id, description, regex, keywords = [], entropy = 0, secretGroup = 0, allowlists = [] } of rules) {
  if (regex === undefined || LEFT_OUT.has(id) || keywords.length === 0) continue;
  const long = /\{\d{3,},?\}|\{\d+,\d{3,}\}|\{\d+,\}|[+*](?!\?)/.test(regex);
  const entry = {
    id: `secret-${id.replaceAll('_', '-')}`,
    description: description
      .replace(
        /^(?:Uncovered|Identified|Detected|Discovered|Found) (?:a |an )?(?:possible |potential |pattern that resembles )?(?:a |an )?/i,
        '',
      )
      .split(/[,;.]/)[0],
    severity: CRITICAL.test(id) ? 'critical' : 'high',
    view: 'raw',
    re2: regex,
    literals: keywords.map((word) => word.toLowerCase()),
    ...(long ? { reach: 1024 } : {}),
    ...SHARPER[id],
    ...(secretGroup > 0 || /(?<!\\)\((?!\?)/.test(regex) ? { group: Math.max(1, secretGroup) } : {}),
    ...(entropy > 0 ? { entropy: String(entropy) } : {}),
    check: 'secret',
    ...(allowlists.length > 0 ? { except: allowlists.flatMap((list) => list.regexes ?? []) } : {}),
  };
  if (entry.except?.length === 0) delete entry.except;
  const tree = parseTree(regex);
  let problem = 'no sample';
  for (const spread of [0, 1, 2, 3, 5, 8]) {
    const hit = `${macroOf(tree, spread)} `;
    const tests = { hit: [hit], miss: [`The ${keywords[0]} settings are described in the manual.`] };
    problem = entryProblem({ also: [], except: [], reach: 256, group: 0, mode: 'flag', ...entry, entropy, tests });
    if (problem === undefined) {
      patterns.push({ ...entry, tests });
      break;
    }
  }
  if (problem !== undefined) process.stderr.write(`${id}: ${problem}\n`);
}
const head = `# Secrets by their form. Made from the rules of gitleaks by scripts/gitleaks-patterns.mjs; do not edit.
# Copyright (c) 2019 Zachary Rice, MIT License: the text stands in secrets.LICENSE and must stay with this file.
`;
const file = join(root, 'packages/gateway/patterns/secrets.yml');
writeFileSync(
  file,
  head + stringify({ patterns }, { lineWidth: 0, defaultStringType: 'QUOTE_SINGLE', defaultKeyType: 'PLAIN' }),
);
process.stderr.write(`${patterns.length} patterns\n`);

/** A text that matches, random characters as samples. */
function macroOf(node, spread) {
  switch (node.kind) {
    case 'edge':
      return '';
    case 'set':
      return setOf(node, 1);
    case 'all':
      return node.parts.map((part) => macroOf(part, spread)).join('');
    case 'any':
      return macroOf(node.parts[spread % node.parts.length], spread);
    default: {
      const count =
        node.min > 0 ? node.min : node.max > 3 && spread % 2 === 1 ? 0 : Math.min(node.max, spread > 4 ? 1 : 0);
      if (count === 0) return '';
      if (node.part.kind === 'set') return setOf(node.part, count);
      return Array.from({ length: count }, () => macroOf(node.part, spread)).join('');
    }
  }
}

function setOf({ body, fold }, count) {
  if (/^\\?.$/.test(body) && !/^\\[wdsWDS]$/.test(body)) {
    const char = body === '\\n' ? '\n' : body === '\\t' ? '\t' : body === '\\r' ? '\r' : body.at(-1);
    return char.repeat(count);
  }
  if (/^\\s$/.test(body)) return ' '.repeat(count);
  const wide = /^(?:\\w|[^^]*a-z)/.test(body) && count === 1 && /[=:> ]/.test(body) ? '=' : undefined;
  if (wide) return wide;
  if (/[=>|:,]/.test(body) && count <= 5)
    return (body.includes('=') ? '=' : body.includes(':') ? ':' : ' ').repeat(count);
  if (/\\s|\\n/.test(body) && count <= 5 && !/[a-z]-[a-z]|\\w/.test(body)) return ' '.repeat(count);
  if (body.length > 60) return 'x'.repeat(count);
  return `{{[${fold && /^[a-z0-9_=\\.-]+$/.test(body) ? body : body}]:${count}}}`;
}
