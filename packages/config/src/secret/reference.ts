// Where a secret is kept, as a file writes it: `env:NAME`, `file:/path`, `creds:name` (a file of systemd's credentials
// folder), `cmd:["pass","show","x"]`, `vault:name`, `keyring:service/user`. The address is no secret.

export type SecretReference =
  | { readonly kind: 'env'; readonly name: string; readonly text: string }
  | { readonly kind: 'file'; readonly path: string; readonly text: string }
  | { readonly kind: 'creds'; readonly name: string; readonly text: string }
  | { readonly kind: 'cmd'; readonly argv: readonly string[]; readonly text: string }
  | { readonly kind: 'vault'; readonly name: string; readonly text: string }
  | { readonly kind: 'keyring'; readonly service: string; readonly user: string; readonly text: string };

export const SECRET_REFERENCE_FORM =
  'a reference to a secret: file:/path, creds:name, vault:name, cmd:["program","argument"], keyring:service/user or env:NAME';

/** Names of a vault stand in files, in lists and on command lines; a principal id is one. */
export const VAULT_NAME = /^(?=.{1,512}$)[^\p{C}\p{Z}](?:[^\p{C}\p{Zl}\p{Zp}]*[^\p{C}\p{Z}])?$/u;
/** Stands for the caller's principal id where a reference may have it: see `forIdentity`. */
export const IDENTITY = '{identity}';

const KIND = /^(env|file|creds|cmd|vault|keyring):(.*)$/s;

/** undefined: it is no reference. */
export function parseSecretReference(text: string): SecretReference | undefined {
  const [, kind, rest = ''] = KIND.exec(text) ?? [];
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
    case 'vault':
      return VAULT_NAME.test(rest) ? { kind, name: rest, text } : undefined;
    case 'keyring': {
      const [, service, user] = /^([^/\0]{1,255})\/([^\0]{1,255})$/.exec(rest) ?? [];
      return service === undefined || user === undefined ? undefined : { kind, service, user, text };
    }
    default:
      return undefined;
  }
}

/** Whether each caller gets another secret by it. */
export function namesIdentity(reference: SecretReference): boolean {
  return reference.text.includes(IDENTITY);
}

/** Whether `{identity}` may stand in it. A path would let an id with `../` lead elsewhere; arguments and names do not. */
export function mayNameIdentity({ kind }: SecretReference): boolean {
  return kind === 'cmd' || kind === 'vault';
}

/** The reference of one caller: the id stands in place of the word, as it is, in whole arguments. No shell reads them. */
export function forIdentity(reference: SecretReference, id: string): SecretReference {
  const put = (text: string): string => text.replaceAll(IDENTITY, () => id);
  if (reference.kind === 'cmd') {
    const [program = '', ...args] = reference.argv;
    return { ...reference, argv: [program, ...args.map(put)] };
  }
  return reference.kind === 'vault' ? { ...reference, name: put(reference.name) } : reference;
}

function argvOf(json: string): readonly string[] | undefined {
  try {
    const value: unknown = JSON.parse(json);
    if (!Array.isArray(value) || value.length === 0) return undefined;
    // NUL would end an argument early.
    const words = value.every((word) => typeof word === 'string' && !word.includes('\0'));
    // Which program runs is not for the caller to say.
    return words && value[0] !== '' && !value[0].includes(IDENTITY) ? (value as string[]) : undefined;
  } catch {
    return undefined;
  }
}
