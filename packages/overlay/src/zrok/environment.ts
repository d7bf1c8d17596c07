// This user's zrok environment, `~/.zrok2`: one enabled client installation, one OpenZiti identity. The layout is zrok's own
// (openziti/zrok environment/env_v0_4): its programs read what we write, and we what they write. No variable moves it but HOME.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OverlayError } from '../errors.ts';
import { userHome } from '../home.ts';
import { SHOWN_CHARS } from './limits.ts';

export interface ZrokEnvironment {
  /** Secret: whoever has it is the account. */
  readonly accountToken: string;
  /** Id of the environment's OpenZiti identity; names the environment in every call. */
  readonly envZId: string;
  /** `scheme://host[:port]`. */
  readonly apiEndpoint: string;
  readonly identityFile: string;
}

export interface ZrokRoot {
  readonly path: string;
  readonly files: ZrokFiles;
  /** Where `enable` would go, or where the environment is. */
  readonly apiEndpoint: string;
  /** undefined: not enabled. */
  readonly environment: ZrokEnvironment | undefined;
}

export interface ZrokFiles {
  readonly metadata: string;
  readonly config: string;
  readonly environment: string;
  readonly identities: string;
  readonly identity: string;
}

/** Of the layout, unchanged since zrok 0.4. */
export const LAYOUT_VERSION = 'v0.4';
const PUBLIC_ENDPOINT = 'https://api-v2.zrok.io';
/** The service of zrok 1; its environments belong to the new address now (api.go, root.go). */
const FORMER_ENDPOINT = 'https://api.zrok.io';
/** Ours have a few hundred bytes; an identity file with its CAs 10 to 20 KiB. */
const MAX_FILE_BYTES = 256 * 1024;

export function zrokFiles(path: string): ZrokFiles {
  const identities = join(path, 'identities');
  return {
    metadata: join(path, 'metadata.json'),
    config: join(path, 'config.json'),
    environment: join(path, 'environment.json'),
    identities,
    identity: join(identities, 'environment.json'),
  };
}

/** Rejects `zrok_files_invalid` for a layout we do not know, or files that cannot be read. */
export async function readZrokRoot(env: NodeJS.ProcessEnv, homeDir?: string): Promise<ZrokRoot> {
  const path = join(userHome(env, homeDir), '.zrok2');
  const files = zrokFiles(path);
  const absent = (endpoint: string): ZrokRoot => ({
    path,
    files,
    apiEndpoint: originOf(endpoint),
    environment: undefined,
  });
  // Without it the zrok programs see no environment, whatever else is there; so neither do we.
  const metadata = await readText(files.metadata);
  if (metadata === undefined) return absent(env.ZROK2_API_ENDPOINT || PUBLIC_ENDPOINT);
  const version = textOf(parsedOrEmpty(metadata).v);
  if (version !== LAYOUT_VERSION) {
    throw invalid(`${files.metadata} names layout ${JSON.stringify(version ?? null)}, not "${LAYOUT_VERSION}"`);
  }
  const [config, environment] = await Promise.all([readObject(files.config), readObject(files.environment)]);
  const [accountToken, envZId] = [textOf(environment.zrok_token), textOf(environment.ziti_identity)];
  const configured = env.ZROK2_API_ENDPOINT || textOf(config.api_endpoint) || PUBLIC_ENDPOINT;
  if (accountToken === undefined || envZId === undefined) return absent(configured);
  const own = textOf(environment.api_endpoint) ?? configured;
  const apiEndpoint = originOf(own.startsWith(FORMER_ENDPOINT) ? PUBLIC_ENDPOINT : own);
  const { identity: identityFile } = files;
  return { path, files, apiEndpoint, environment: { accountToken, envZId, apiEndpoint, identityFile } };
}

/** Rejects `not_enabled`. */
export function requireEnabled({ environment, path }: ZrokRoot): ZrokEnvironment {
  if (environment) return environment;
  throw new OverlayError('not_enabled', `no zrok environment is enabled for this user (${path})`, {
    hint: 'mcp-tools enable TOKEN makes one; the account token stands on the account page of the zrok instance',
  });
}

/** The zrok programs use scheme and host only; a path of its own would be lost on them. */
function originOf(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url.origin;
  throw new OverlayError(
    'zrok_files_invalid',
    `the zrok API endpoint ${JSON.stringify(endpoint.slice(0, SHOWN_CHARS))} is no http(s) URL`,
    { hint: 'as in https://zrok.example.com; it stands in ZROK2_API_ENDPOINT, or in a file of ~/.zrok2' },
  );
}

/** A file that is absent or broken counts as empty, as for the zrok programs. */
async function readObject(path: string): Promise<Record<string, unknown>> {
  return parsedOrEmpty((await readText(path)) ?? '');
}

function parsedOrEmpty(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch {
    return {};
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    const text = await readFile(path, 'utf8');
    return text.length > MAX_FILE_BYTES ? '' : text;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw invalid(`${path} cannot be read: ${message}`, error);
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function invalid(message: string, cause?: unknown): OverlayError {
  return new OverlayError('zrok_files_invalid', message, {
    hint: 'mend it, or move ~/.zrok2 away and enable again; --overlay local does without zrok',
    cause,
  });
}
