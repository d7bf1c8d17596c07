// Where a secret is kept, as a file writes it: `env:NAME`, `file:/path`, `creds:name` (a file of systemd's credentials
// folder), `cmd:["pass","show","x"]`. The address is no secret.

export type SecretReference =
  | { readonly kind: 'env'; readonly name: string; readonly text: string }
  | { readonly kind: 'file'; readonly path: string; readonly text: string }
  | { readonly kind: 'creds'; readonly name: string; readonly text: string }
  | { readonly kind: 'cmd'; readonly argv: readonly string[]; readonly text: string };

export const SECRET_REFERENCE_FORM =
  'a reference to a secret: file:/path, creds:name, cmd:["program","argument"] or env:NAME';

/** undefined: it is no reference. */
export function parseSecretReference(text: string): SecretReference | undefined {
  const [, kind, rest = ''] = /^(env|file|creds|cmd):(.*)$/s.exec(text) ?? [];
  switch (kind) {
    case 'env':
      return /^[A-Za-z_][A-Za-z0-9_]*$/.test(rest) ? { kind, name: rest, text } : undefined;
    case 'file':
      // A URL (file:///…) is a value of its own.
      return /^(?!\/\/)[^\0]+$/s.test(rest) ? { kind, path: rest, text } : undefined;
    case 'creds':
      // systemd.exec(5): an id is a file name of ASCII characters.
      return /^(?!\.{1,2}$)[\x21-\x2e\x30-\x7e]{1,255}$/.test(rest) ? { kind, name: rest, text } : undefined;
    case 'cmd': {
      const argv = argvOf(rest);
      return argv && { kind, argv, text };
    }
    default:
      return undefined;
  }
}

function argvOf(json: string): readonly string[] | undefined {
  try {
    const value: unknown = JSON.parse(json);
    if (!Array.isArray(value) || value.length === 0) return undefined;
    // NUL would end an argument early.
    const words = value.every((word) => typeof word === 'string' && !word.includes('\0'));
    return words && value[0] !== '' ? (value as string[]) : undefined;
  } catch {
    return undefined;
  }
}
