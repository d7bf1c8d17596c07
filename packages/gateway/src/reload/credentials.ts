// Which secrets are other ones now. What was read of a reference first counts: children of then run with it still. Values are
// known here by digests under a key of this process, so that nothing of them is kept.

import { createHmac, randomBytes } from 'node:crypto';
import {
  type BackendConfig,
  type ConfiguredText,
  namesIdentity,
  type ResolveOptions,
  referencesIn,
  resolveSecret,
  type SecretReference,
} from '@mcp-overlay/config';

export class SeenSecrets {
  readonly #key = randomBytes(32);
  readonly #first = new Map<string, string>();

  /** Reads as `options` do, and takes note. */
  noting(options: ResolveOptions): ResolveOptions {
    return {
      ...options,
      onSecret: (value, reference) => {
        options.onSecret?.(value, reference);
        const { text } = reference;
        if (!namesIdentity(reference) && !this.#first.has(text)) this.#first.set(text, this.#digest(value));
      },
    };
  }

  /** Reads all that these backends refer to. Rejects with a SecretError, but for those that go on as they are: what is away for
   *  now keeps nobody from taking something away. Of whom each caller has his own nothing is read. */
  async read(
    backends: readonly BackendConfig[],
    options: ResolveOptions,
    goesOn: (backend: BackendConfig) => boolean,
  ): Promise<ReadSecrets> {
    const needed = new Set(
      backends.flatMap((backend) => (goesOn(backend) ? [] : referencesOf(backend).map(({ text }) => text))),
    );
    const references = new Map(backends.flatMap(referencesOf).map((one) => [one.text, one]));
    const digests = new Map<string, string>();
    const all = [...references.values()].filter((one) => !namesIdentity(one));
    await Promise.all(
      all.map(async (one) => {
        try {
          const secret = await resolveSecret(one, options);
          secret.use((value) => digests.set(one.text, this.#digest(value)));
        } catch (error) {
          if (needed.has(one.text)) throw error;
        }
      }),
    );
    return {
      rotated: (backend) =>
        referencesOf(backend).some(({ text }) => {
          const [first, now] = [this.#first.get(text), digests.get(text)];
          return first !== undefined && now !== undefined && first !== now;
        }),
      // Whatever runs with an old one ends.
      commit: () => {
        for (const [text, digest] of digests) if (this.#first.has(text)) this.#first.set(text, digest);
      },
    };
  }

  #digest(value: Buffer): string {
    return createHmac('sha256', this.#key).update(value).digest('base64');
  }
}

export interface ReadSecrets {
  rotated(backend: BackendConfig): boolean;
  commit(): void;
}

/** What of a backend says who it is for the server behind it. */
export function credentialsOf({ transport, inject }: BackendConfig): string {
  switch (transport.type) {
    case 'stdio':
      return JSON.stringify([inject, transport.env, transport.envPass]);
    case 'http':
      return JSON.stringify([inject, transport.headers]);
    case 'share':
      return JSON.stringify([inject, transport.access, transport.accessKey]);
  }
}

function referencesOf({ transport, inject }: BackendConfig): readonly SecretReference[] {
  const texts: ConfiguredText[] = [];
  const all = (...records: readonly (Readonly<Record<string, ConfiguredText>> | undefined)[]): void => {
    for (const record of records) texts.push(...Object.values(record ?? {}));
  };
  if (transport.type === 'stdio') all(transport.env);
  if (transport.type === 'http') all(transport.headers);
  for (const one of [inject?.shared, ...(inject?.perIdentity?.own ?? [])]) all(one?.env, one?.headers);
  const own = transport.type === 'share' ? [transport.access, transport.accessKey] : [];
  return [...texts.flatMap(referencesIn), ...own.filter((one) => one !== undefined)];
}
