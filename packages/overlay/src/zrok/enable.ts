// Joining and leaving a zrok network without a zrok program: an environment is made at the controller and kept in the files
// that zrok's own programs read.

import { hostname, platform, release } from 'node:os';
import { OverlayError } from '../errors.ts';
import { stateFolder } from '../home.ts';
import { systemUser } from '../user.ts';
import { ZrokApi } from './api.ts';
import { readZrokRoot, requireEnabled } from './environment.ts';
import { Records } from './records.ts';
import { checkWritable, removeEnvironment, saveEnvironment } from './save-environment.ts';

export interface EnableOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly homeDir?: string;
  readonly accountToken: string;
  /** Shown on the account's console. Default: user@host. */
  readonly description?: string;
}

export interface Enabled {
  readonly envZId: string;
  readonly apiEndpoint: string;
}

/** Visible ASCII: it becomes a header. */
const TOKEN = /^[\x21-\x7e]{1,256}$/;

/** Rejects `already_enabled`, `account_refused`, `environment_refused`, `peer_incompatible`, `zrok_files_invalid`. */
export async function enableZrok({ env, homeDir, accountToken, description }: EnableOptions): Promise<Enabled> {
  const root = await readZrokRoot(env, homeDir);
  const { apiEndpoint, path } = root;
  if (root.environment) {
    throw new OverlayError('already_enabled', `a zrok environment is enabled already (${path}, ${apiEndpoint})`, {
      hint: 'mcp-tools disable first, if it is to be another',
    });
  }
  if (!TOKEN.test(accountToken)) {
    throw new OverlayError('account_refused', 'that is no account token: it has blanks, line ends or foreign letters', {
      hint: 'the token stands on the account page of the zrok instance',
    });
  }
  await checkWritable(root);
  const api = new ZrokApi(apiEndpoint, accountToken);
  await api.checkVersion();
  const made = await api.enable({ description: description ?? ownDescription(), host: ownHost() });
  try {
    await saveEnvironment(root, { accountToken, ...made });
  } catch (error) {
    // Nobody could use it or remove it later.
    await api.disable(made.envZId).catch(() => {});
    throw error;
  }
  return { envZId: made.envZId, apiEndpoint };
}

/** The files go even if the controller cannot be reached; then `left` says why. Rejects `not_enabled`. */
export async function disableZrok(
  env: NodeJS.ProcessEnv,
  homeDir?: string,
): Promise<Enabled & { readonly left: Error | undefined }> {
  const root = await readZrokRoot(env, homeDir);
  const environment = requireEnabled(root);
  const { accountToken, envZId, apiEndpoint } = environment;
  const left = await new ZrokApi(apiEndpoint, accountToken).disable(envZId).then(
    () => undefined,
    (error: Error) => error,
  );
  await removeEnvironment(root);
  await new Records(await stateFolder(env, homeDir), environment).removeAll();
  return { envZId, apiEndpoint, left };
}

function ownDescription(): string {
  return `${systemUser().name}@${hostname()}`;
}

/** What the account's owner is shown to tell environments apart. zrok's own programs say more. */
function ownHost(): string {
  return [systemUser().name, hostname(), platform(), release()].join('; ');
}
