// Who the system says we are, whatever the environment says. A container may run us under a number that no user database
// knows; that is no reason to fail.

import { userInfo } from 'node:os';

export interface User {
  /** Its number where it has no name. */
  readonly name: string;
  /** undefined: the database knows none. */
  readonly home: string | undefined;
}

export function systemUser(): User {
  try {
    const { username, homedir } = userInfo();
    return { name: username, home: homedir === '' ? undefined : homedir };
  } catch {
    return { name: String(process.getuid?.() ?? 'unknown'), home: undefined };
  }
}
