// docs/CONFIG.md from the schema: the reference of every key, so that it cannot tell anything but what the code does.

import { serverShape } from './mcp-servers.ts';
import { gatewayShape } from './schema.ts';
import type { Field, Fields, Shape } from './shape.ts';

export interface DocumentedKey {
  /** `backends[].transport.command` */
  readonly key: string;
  readonly field: Field<unknown>;
  /** Of the object that the key is in. */
  readonly section: string;
}

/** Every key of a gateway's file, in the order of the schema; keys of an object follow the object. */
export function documentedKeys(): DocumentedKey[] {
  return keysOf('', gatewayShape.fields ?? {});
}

export const REGENERATE = 'node --import tsx scripts/config-doc.mjs';

export function configReference(): string {
  const keys = documentedKeys();
  const sections = [...new Set(keys.map(({ section }) => section))];
  return [
    PREFACE,
    ...sections.flatMap((section) => [
      `\n## ${section === '' ? 'The file' : `\`${section}\``}\n`,
      table(keys.filter((one) => one.section === section)),
    ]),
    '\n## Not yet\n',
    'These keys are refused, because a rule that is not there must not look as if it were:\n',
    table2(['key', 'what it will be'], laterKeys()),
    MCP_SERVERS,
    table2(
      ['key', 'form', 'meaning'],
      Object.entries(serverShape.fields ?? {}).map(([name, { shape, about, aliases }]) => [
        [name, ...(aliases ?? [])].map(code).join(', '),
        shape.form,
        about,
      ]),
    ),
    '',
  ].join('\n');
}

function keysOf(section: string, fields: Fields): DocumentedKey[] {
  const here = Object.entries(fields).map(([name, field]) => ({
    key: section === '' ? name : `${section}.${name}`,
    field,
    section,
  }));
  return [...here, ...here.flatMap(({ key, field }) => inner(key, field.shape))];
}

function inner(key: string, shape: Shape<unknown>): DocumentedKey[] {
  if (shape.fields) return keysOf(key, shape.fields);
  return shape.element?.fields ? keysOf(`${key}[]`, shape.element.fields) : [];
}

function table(keys: readonly DocumentedKey[]): string {
  return table2(
    ['key', 'form', 'default', 'meaning'],
    keys.map(({ key, field, section }) => {
      const name = key.slice(section === '' ? 0 : section.length + 1);
      const names = [name, ...(field.aliases ?? [])].map(code).join(', ');
      const only = field.only ? ` (type ${field.only.join(', ')})` : '';
      const nested = (field.shape.fields ?? field.shape.element?.fields) ? 'see below' : field.shape.form;
      const example = field.example === undefined ? '' : `. Example: ${code(`${name}: ${field.example}`)}`;
      return [names + only, nested, field.required ? 'required' : (field.default ?? '–'), field.about + example];
    }),
  );
}

function laterKeys(): string[][] {
  const rows: string[][] = [];
  const visit = (section: string, shape: Shape<unknown>): void => {
    for (const [name, about] of Object.entries(shape.later ?? {})) {
      rows.push([code(section === '' ? name : `${section}.${name}`), about]);
    }
    for (const [name, { shape: below }] of Object.entries(shape.fields ?? {})) {
      visit(section === '' ? name : `${section}.${name}`, below);
    }
    if (shape.element) visit(`${section}[]`, shape.element);
  };
  visit('', gatewayShape);
  return rows;
}

function table2(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function code(text: string): string {
  return `\`${text}\``;
}

const PREFACE = `# Configuration of mcp-gateway

Generated from the schema by \`${REGENERATE}\`; do not edit.

\`mcp-gateway run FILE\` takes our YAML, the YAML of the Go original, or any \`mcpServers\` JSON; what it is is told by its
content. \`mcp-gateway check FILE --offline\` reads a file and shows what it would run.
\`configs/example.yml\` shows every key in use.

- Every problem of a file is said at once, as \`file:line:col: key: what was expected\`. An unknown key is an error.
- Variables: \`\${VAR}\`, \`\${VAR:-default}\` (also when VAR is empty), \`$$\` for a dollar, in every value that is text. One that is not set is an error.
- Paths are relative to the file; \`~/\` is the home folder, also at the beginning of an argument of a server; otherwise arguments are passed on as they are.
- Durations: \`500ms\`, \`30s\`, \`1m30s\`, \`2h\`. A number without a unit is an error.
- Patterns of \`tools.list\`: \`*\` any characters, \`?\` one, \`[a-z]\` one of a set, \`[!a-z]\` one not of it, \`\\\` takes the next character as it is.
- One file has at most 256 KiB as YAML, 1 MiB as JSON, and 64 levels; a YAML line begins before column 128.

The Go original's files keep their meaning, but: an empty allow list allows nothing; a malformed pattern and an unknown key are errors;
names are joined by \`__\` unless \`separator\` says otherwise; variables are replaced (there they are not);
relative paths begin at the file; \`orchestrator\` is accepted and not used. What of this concerns a file is said when it is read;
a file is known as the original's by \`share_token\`, \`orchestrator\` or \`log_file\` at the top without any key of ours there.`;

const MCP_SERVERS = `
## Files made for MCP clients

A file with \`mcpServers\`, or \`servers\` as VS Code has it, is taken as it is; comments and a comma after the last item are fine.
Variables there: \`\${VAR}\`, \`\${VAR:-default}\`, \`\${env:VAR}\`, \`\${userHome}\`, \`\${workspaceFolder}\` (the file's folder, or the one above a client's
own such as \`.vscode\`); \`\${input:…}\` is an error, for nobody is there to ask. Names of servers that are no ids are changed into ones, stable and unique.
\`http://\` is accepted on this machine; elsewhere it needs \`allowInsecure: true\`. Unknown keys are said and ignored.
`;
