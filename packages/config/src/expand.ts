// Variables in text. Our files and the original's: `${VAR}`, `${VAR:-default}`, and `$$` for a dollar. Client files:
// those of Claude Code, Cursor and VS Code, without `$$`. What is put in is never expanded again.

import type { Report, Spot } from './errors.ts';
import { quoteText } from './node.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** undefined: a problem was reported. */
export type Expand = (text: string, spot: Spot) => string | undefined;

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const REFERENCE = /^(?:env|file|creds|cmd|vault|keyring):/;
const FORM = `write \${VAR} or \${VAR:-default}, and $$ for a dollar`;

export function expander(env: Environment, report: Report): Expand {
  return (text, spot) =>
    replaceAll(text, true, (inner) => {
      if (inner === undefined) {
        report.problem(spot, 'expected } after ${', FORM);
        return undefined;
      }
      const { name, fallback } = split(inner);
      if (REFERENCE.test(inner)) {
        report.problem(spot, 'a reference to a secret can stand in env, headers and inject only', FORM);
        return undefined;
      }
      if (!NAME.test(name)) {
        report.problem(spot, `expected the name of a variable in \${ } (got ${quoteText(name)})`, FORM);
        return undefined;
      }
      return lookUp(env, name, fallback, spot, report);
    });
}

/** The folder that `${workspaceFolder}` means. */
export interface ForeignPlaces {
  /** Empty where nobody knows it. */
  readonly home: string;
  readonly workspace: string;
}

export function foreignExpander(env: Environment, places: ForeignPlaces, report: Report): Expand {
  const words: Readonly<Record<string, string>> = {
    ...(places.home === '' ? {} : { userHome: places.home }),
    workspaceFolder: places.workspace,
    workspaceFolderBasename: places.workspace.split('/').at(-1) ?? '',
    pathSeparator: '/',
    '/': '/',
  };
  return (text, spot) =>
    replaceAll(text, false, (inner) => {
      if (inner !== undefined && Object.hasOwn(words, inner)) return words[inner];
      if (inner?.startsWith('input:')) {
        report.problem(spot, `\${${inner}} asks a person, which a gateway cannot`, `write \${env:NAME} instead`);
        return undefined;
      }
      const { name, fallback } = split(inner?.replace(/^env:/, '') ?? '');
      if (NAME.test(name)) return lookUp(env, name, fallback, spot, report);
      report.note(spot, 'literal', '${ without the name of a variable is passed on as it is');
      return inner === undefined ? '${' : `\${${inner}}`;
    });
}

/** What stands in the file itself, variables taken out. */
export function withoutVariables(text: string): string {
  return text.replace(/\$\{[^}$]*\}/g, '');
}

function replaceAll(
  text: string,
  dollars: boolean,
  substitute: (inner: string | undefined) => string | undefined,
): string | undefined {
  let out = '';
  let from = 0;
  let failed = false;
  for (let at = text.indexOf('$'); at >= 0; at = text.indexOf('$', from)) {
    out += text.slice(from, at);
    if (text[at + 1] === '{') {
      const end = text.indexOf('}', at);
      const value = substitute(end < 0 ? undefined : text.slice(at + 2, end));
      failed ||= value === undefined;
      out += value ?? '';
      // Without a } from here on there is none further on either: searching again would be quadratic.
      if (end < 0) return failed ? undefined : out + text.slice(at + 2);
      from = end + 1;
    } else {
      out += '$';
      from = at + (dollars && text[at + 1] === '$' ? 2 : 1);
    }
  }
  return failed ? undefined : out + text.slice(from);
}

function split(inner: string): { name: string; fallback: string | undefined } {
  const at = inner.indexOf(':-');
  return at < 0 ? { name: inner, fallback: undefined } : { name: inner.slice(0, at), fallback: inner.slice(at + 2) };
}

/** As in a shell, `:-` also stands in for an empty value. */
function lookUp(
  env: Environment,
  name: string,
  fallback: string | undefined,
  spot: Spot,
  report: Report,
): string | undefined {
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (fallback !== undefined) return value || fallback;
  if (value === undefined) {
    report.problem(spot, `variable ${name} is not set`, `set it, or write \${${name}:-default}`);
  }
  return value;
}
