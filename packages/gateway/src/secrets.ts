// How this gateway reads references to secrets, and keeps what it read, or found written out, out of its outputs.

import { dirname } from 'node:path';
import { hideFromOutput } from '@mcp-overlay/cli';
import {
  type BackendConfig,
  type ConfiguredText,
  type GatewayConfig,
  looksSecret,
  type ResolveOptions,
  type SecretString,
  type Vault,
} from '@mcp-overlay/config';
import type { GatewayLog } from './call/log.ts';
import { openVault } from './vault.ts';

export interface SecretSurroundings {
  readonly config: Pick<GatewayConfig, 'file' | 'vault'>;
  readonly env: NodeJS.ProcessEnv;
  readonly log: GatewayLog;
  /** Asks whoever is at the terminal. Absent: nobody is there. */
  readonly passphrase?: (() => Promise<SecretString>) | undefined;
}

export function secretsOf({ config, env, log, passphrase }: SecretSurroundings): ResolveOptions {
  const told = new Set<string>();
  const hidden: ResolveOptions = {
    env,
    baseDir: dirname(config.file),
    onSecret: (value, { text }) => {
      if (hideFromOutput(value) || told.has(text)) return;
      told.add(text);
      log.warn({ secret: text }, 'a secret with fewer than 8 bytes cannot be kept out of logs');
    },
  };
  return { ...hidden, vault: vaultOf(config.vault ?? {}, hidden, passphrase) };
}

/** Found only when something is looked up in it: most gateways have none. */
function vaultOf(
  config: NonNullable<GatewayConfig['vault']>,
  options: ResolveOptions,
  passphrase: SecretSurroundings['passphrase'],
): ResolveOptions['vault'] {
  let opening: Promise<Vault> | undefined;
  return {
    get: async (name, shown) => {
      opening ??= openVault({ ...config, options, passphrase });
      return (await opening).get(name, shown);
    },
  };
}

/** Secrets that stand in the file itself, or came by `${VAR}`: what looks like one is hidden as well. */
export function hideWritten(backends: readonly BackendConfig[], env: NodeJS.ProcessEnv): void {
  for (const { transport, inject } of backends) {
    const own = inject?.perIdentity?.own ?? [];
    for (const injected of [inject?.shared, ...own]) hideAll({ ...injected?.env, ...injected?.headers });
    if (transport.type === 'http') hideAll(transport.headers);
    if (transport.type !== 'stdio') continue;
    hideAll(transport.env);
    hideAll(Object.fromEntries(transport.envPass.map((name) => [name, env[name] ?? ''])));
    for (const arg of transport.args) hideLike(arg, '');
  }
}

function hideAll(texts: Readonly<Record<string, ConfiguredText>>): void {
  for (const [name, text] of Object.entries(texts)) if (typeof text === 'string') hideLike(text, name);
}

function hideLike(text: string, name: string): void {
  if (looksSecret(text, name) === undefined) return;
  const [, scheme, credential] = /^(Bearer|Basic|Token) +(\S+)$/i.exec(text) ?? [];
  if (scheme === undefined || credential === undefined) {
    hideFromOutput(text);
    return;
  }
  hideFromOutput(credential);
  if (scheme.toLowerCase() !== 'basic') return;
  const [, password] = /^[^:]*:(.+)$/s.exec(Buffer.from(credential, 'base64').toString()) ?? [];
  if (password !== undefined) hideFromOutput(password);
}
