// Enrollment for commands: the client's, with our errors.

import { enroll } from '@mcp-overlay/ziti';
import { overlayError } from './refusals.ts';

export interface Enrolled {
  readonly identityFile: string;
  readonly id: string;
  readonly controllers: readonly string[];
}

export async function enrollZiti(jwt: string, out: string): Promise<Enrolled> {
  try {
    return await enroll(jwt, { out });
  } catch (error) {
    throw overlayError(error);
  }
}
