// Text that may be secret or hold references to secrets: variables, headers, arguments, and the key `secrets`. In our own
// files references are read; in files made for other programs they are text like any other, and that is said.

import type { Spot } from './errors.ts';
import { withoutVariables } from './expand.ts';
import {
  mayNameIdentity,
  namesIdentity,
  parseSecretReference,
  SECRET_REFERENCE_FORM,
  type SecretReference,
} from './secret/reference.ts';
import { type ConfiguredText, looksLikeReference, stretchesOf } from './secret/text.ts';
import { looksSecret } from './secrets.ts';
import { checkedRaw, choice, field, object, parsed, path, type Reading, type Shape } from './shape.ts';

/** A single reference, and nothing else: a key. */
export const secretReference: Shape<SecretReference> = parsed<SecretReference>(
  SECRET_REFERENCE_FORM,
  (value) => parseSecretReference(value) ?? { refused: SECRET_REFERENCE_FORM },
  { secret: true },
);

export const variableName = { form: 'the name of a variable', pattern: /^[^=\0\s]+$/ };
export const headerName = { form: 'the name of a header', pattern: /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/ };

interface Wanted {
  readonly pattern: RegExp;
  readonly form: string;
}

const TEXT = { secret: true, booleans: true };
const LATIN1_LINE: Wanted = { pattern: /^[\t\x20-\x7e\x80-\xff]*$/, form: 'one line of Latin-1 text' };

/** An argument of a server, in whatever file. Everybody on the machine can read those of a process. */
export const argument: Shape<string> = parsed<string>(
  'text',
  (value, spot, reading, raw) => {
    const begins = referenceAt(raw);
    if (begins !== undefined && reading.format === 'ours') {
      return {
        refused: `text: a secret (${begins}:) cannot be an argument, which everybody on this machine can read`,
        hint: 'give it to the server as a variable: env',
      };
    }
    if (begins !== undefined) noteLiteral(begins, spot, reading);
    noteInline(raw, spot, reading);
    if (raw.includes('${') && looksSecret(value, nameOf(spot)) !== undefined && !isInline(raw, spot)) {
      reading.report.note(
        spot,
        'unsafe',
        'looks like a secret once its variable is replaced: everybody on this machine can read arguments, better to use env',
      );
    }
    return value;
  },
  TEXT,
);

/** An address may hold a password or a key; both are warned of. */
export const urlText: Shape<string> = parsed<string>(
  'a URL',
  (value, spot, reading, raw) => {
    if (value === '') return { refused: 'a URL' };
    noteInline(raw, spot, reading, '');
    return value;
  },
  { secret: true },
);

/** In files made for MCP clients. */
export const plainVariableValue = plainText('text');
export const plainHeaderValue = plainText('text', LATIN1_LINE);
/** In ours and the original's, by one table. */
export const variableValue = configuredText('text or a reference to a secret');
export const headerValue = configuredText('text or a reference to a secret', LATIN1_LINE);
/** Under `inject`: `{identity}` may stand in references. */
export const injectedVariable = configuredText('text or a reference to a secret', undefined, true);
export const injectedHeader = configuredText('text or a reference to a secret', LATIN1_LINE, true);

export const secretsShape = object({
  inline: field(
    choice(['warn', 'refuse']),
    'what is done about secrets that are written out in this file instead of being referred to',
    { default: 'warn', example: 'refuse' },
  ),
  vault: field(
    object({
      path: field(path(), 'the file that mcp-gateway vault keeps', {
        default: 'secrets/vault in the state folder',
        example: './mcp.vault',
      }),
      key: field(
        parsed<SecretReference | 'passphrase'>(
          `${SECRET_REFERENCE_FORM}, or passphrase`,
          (value) => {
            const reference = value === 'passphrase' ? value : parseSecretReference(value);
            const usable = reference !== undefined && (reference === 'passphrase' || reference.kind !== 'vault');
            return usable ? reference : { refused: `${SECRET_REFERENCE_FORM}, or passphrase` };
          },
          { secret: true },
        ),
        'what opens it; passphrase: asked for on the terminal at start',
        { default: 'secrets/vault.key in the state folder, made there', example: '"creds:vault.key"' },
      ),
    }),
    'where vault:NAME is looked up',
  ),
});

function plainText(form: string, wanted?: Wanted): Shape<string> {
  const parse: Parameters<typeof parsed<string>>[1] = (value, spot, reading, raw) => {
    const begins = referenceAt(raw);
    if (begins !== undefined) noteLiteral(begins, spot, reading);
    noteInline(raw, spot, reading);
    return wanted && !wanted.pattern.test(value) ? { refused: wanted.form } : value;
  };
  return parsed<string>(form, parse, TEXT);
}

function configuredText(form: string, wanted?: Wanted, identity = false): Shape<ConfiguredText> {
  const plain = plainText('text', wanted);
  return {
    form,
    read: (node, spot, reading) => {
      if (reading.format !== 'ours') return plain.read(node, spot, reading);
      const raw = checkedRaw(node, spot, form, reading, TEXT);
      if (raw === undefined) return undefined;
      if (referenceAt(raw) !== undefined) {
        const reference = referenceOf(raw, spot, reading, identity);
        return reference && { parts: [reference] };
      }
      if (/^file:(?!\/\/)./.test(raw)) {
        reading.report.note(spot, 'literal', `is passed on as it is; a secret in a relative path is \${${raw}}`);
      }
      const stretches = stretchesOf(raw);
      if (stretches === undefined) {
        reading.report.problem(spot, 'expected } after a reference to a secret', `as in: Bearer \${vault:github}`);
        return undefined;
      }
      if (stretches.every((one) => 'plain' in one)) return plain.read(node, spot, reading);
      return { parts: stretches.flatMap((one) => partOf(one, spot, reading, { wanted, identity })) };
    },
  };
}

function partOf(
  stretch: { readonly plain: string } | { readonly reference: string },
  spot: Spot,
  reading: Reading,
  { wanted, identity }: { wanted: Wanted | undefined; identity: boolean },
): (string | SecretReference)[] {
  if ('reference' in stretch) {
    const reference = referenceOf(stretch.reference, spot, reading, identity);
    return reference === undefined ? [] : [reference];
  }
  noteInline(stretch.plain, spot, reading, '');
  const text = reading.expand(stretch.plain, spot);
  if (text === undefined) return [];
  if (wanted && !wanted.pattern.test(text)) reading.report.problem(spot, `expected ${wanted.form}`);
  return [text];
}

function referenceOf(raw: string, spot: Spot, reading: Reading, identity: boolean): SecretReference | undefined {
  const text = reading.expand(raw, spot);
  if (text === undefined) return undefined;
  const reference = parseSecretReference(text);
  if (reference === undefined) {
    reading.report.problem(
      spot,
      `expected ${SECRET_REFERENCE_FORM}`,
      `for text that only looks like one: \${NONE:-text}`,
    );
    return undefined;
  }
  if (!namesIdentity(reference)) return reference;
  if (!mayNameIdentity(reference)) {
    reading.report.problem(spot, `{identity} can stand in cmd: and vault: only, not in ${reference.kind}:`);
  } else if (!identity) {
    reading.report.problem(spot, 'a secret for each {identity} belongs under inject of the backend');
  }
  return reference;
}

/** `file:` with a relative path is a value that servers have (`DATABASE_URL: file:./dev.db`); `env:` is one only as a name. */
function isWhole(raw: string): boolean {
  return /^env:(?:[A-Za-z_][A-Za-z0-9_]*)$/.test(raw) || /^file:(?:\/(?!\/)|~\/|\$\{)/.test(raw);
}

/** The kind of the reference that the whole text is, or was meant to be. */
function referenceAt(raw: string): string | undefined {
  const whole = looksLikeReference(raw);
  return whole !== undefined && (whole.meant || isWhole(raw)) ? whole.kind : undefined;
}

function noteLiteral(kind: string, spot: Spot, { report }: Reading): void {
  report.note(spot, 'literal', `${kind}: is passed on as it is, not looked up`);
}

function noteInline(raw: string, spot: Spot, { report }: Reading, name = nameOf(spot)): void {
  const kind = looksSecret(withoutVariables(raw), name);
  if (kind === undefined) return;
  report.note(
    spot,
    'inline-secret',
    `${kind} stands in the file, better to write a reference (docs/SECRETS.md), or \${VAR} and set the variable`,
  );
}

function isInline(raw: string, spot: Spot): boolean {
  return looksSecret(withoutVariables(raw), nameOf(spot)) !== undefined;
}

function nameOf(spot: Spot): string {
  return spot.key.split('.').at(-1) ?? '';
}
