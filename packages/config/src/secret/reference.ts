// Where a secret is kept, as a file writes it: `env:NAME`, `file:/path`, `cmd:["pass","show","x"]`. The address is no secret.

export type SecretReference =
  | { readonly kind: 'env'; readonly name: string; readonly text: string }
  | { readonly kind: 'file'; readonly path: string; readonly text: string }
  | { readonly kind: 'cmd'; readonly argv: readonly string[]; readonly text: string };

export const SECRET_REFERENCE_FORM = 'a reference to a secret: env:NAME, file:/path or cmd:["program","argument"]';

/** undefined: it is no reference. */
export function parseSecretReference(text: string): SecretReference | undefined {
  const [, kind, rest = ''] = /^(env|file|cmd):(.*)$/s.exec(text) ?? [];
  if (kind === 'env') return /^[A-Za-z_][A-Za-z0-9_]*$/.test(rest) ? { kind, name: rest, text } : undefined;
  if (kind === 'file') return rest.length > 0 && !rest.includes('\0') ? { kind, path: rest, text } : undefined;
  if (kind !== 'cmd') return undefined;
  const argv = argvOf(rest);
  return argv && { kind, argv, text };
}

function argvOf(json: string): readonly string[] | undefined {
  try {
    const value: unknown = JSON.parse(json);
    const words = Array.isArray(value) && value.length > 0 && value.every((word) => typeof word === 'string');
    return words ? (value as string[]) : undefined;
  } catch {
    return undefined;
  }
}
