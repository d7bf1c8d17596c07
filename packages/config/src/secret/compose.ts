// A variable or header from its parts: each reference is read now, because secrets change while a program runs.

import { SecretError } from './errors.ts';
import { forIdentity } from './reference.ts';
import { type ResolveOptions, resolveSecret } from './resolve.ts';
import type { ConfiguredText } from './text.ts';

export interface ComposeOptions extends ResolveOptions {
  /** The principal id of the caller, for `{identity}`. */
  readonly identity?: string;
}

/** Where the text goes: what that place takes. */
export type Place = 'variable' | 'header';

/** Rejects with a SecretError. */
export async function composeAll(
  texts: Readonly<Record<string, ConfiguredText>>,
  place: Place,
  options: ComposeOptions,
): Promise<Record<string, string>> {
  const entries = Object.entries(texts).map(
    async ([name, text]) => [name, await compose(text, place, options)] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

async function compose(text: ConfiguredText, place: Place, options: ComposeOptions): Promise<string> {
  if (typeof text === 'string') return text;
  const parts = text.parts.map(async (part) => {
    if (typeof part === 'string') return part;
    const { identity } = options;
    const secret = await resolveSecret(identity === undefined ? part : forIdentity(part, identity), options);
    return secret.use((value) => asText(value, place, part.text));
  });
  return (await Promise.all(parts)).join('');
}

function asText(bytes: Buffer, place: Place, shown: string): string {
  const text = decode(bytes);
  if (text === undefined || text.includes('\0')) {
    throw new SecretError('secret_unusable', `${shown} is no text, which a ${place} is`);
  }
  if (place === 'header' && !/^[\t\x20-\x7e\x80-\xff]*$/.test(text)) {
    throw new SecretError('secret_unusable', `${shown} is not one line of Latin-1 text, which a header is`);
  }
  return text;
}

function decode(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
