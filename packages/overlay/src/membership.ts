// Joining and leaving networks, for commands: loaded when one is called, so that programs on `local` carry none of it.

import type { Enrolled } from './ziti/enroll.ts';
import type { Enabled, EnableOptions } from './zrok/enable.ts';

/** Makes a zrok environment. Rejects `already_enabled`, `account_refused`, `environment_refused`, `zrok_files_invalid`, … */
export async function enableZrok(options: EnableOptions): Promise<Enabled> {
  const zrok = await import('./zrok/enable.ts');
  return zrok.enableZrok(options);
}

/** Removes the zrok environment; `left` says why the controller still has it. Rejects `not_enabled`. */
export async function disableZrok(env: NodeJS.ProcessEnv): Promise<Enabled & { readonly left: Error | undefined }> {
  const zrok = await import('./zrok/enable.ts');
  return zrok.disableZrok(env);
}

/** Turns a one-time token into an identity file, which must not exist. Rejects `enroll_refused`, `identity_invalid`, … */
export async function enrollZiti(jwt: string, out: string): Promise<Enrolled> {
  const ziti = await import('./ziti/enroll.ts');
  return ziti.enrollZiti(jwt, out);
}
