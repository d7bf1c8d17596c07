// Who may come in to a share that has no roles: its owner, and whom somebody named. Pure: the facts are arguments.
// A denial by hand beats everything.

import { isPrincipalId, type Principal, UNPROVEN } from '../proof/principal.ts';

/** In `share.grants` and `--grant`: everybody whom the network lets dial and who proves who he is. */
export const NETWORK = 'network';

export interface Grants {
  /** Principal ids. */
  readonly ids: ReadonlySet<string>;
  /** They may dial, where the network knows accounts; e-mails prove nothing. */
  readonly accounts: readonly string[];
  readonly network: boolean;
  readonly unproven: boolean;
}

export type Decision = 'allowed' | 'denied';

export interface AdmissionFacts {
  readonly grants: Grants;
  /** Ids that own the share. */
  readonly owners: ReadonlySet<string>;
  readonly decision: Decision | undefined;
  /** It came with a token that the operator made for this share. */
  readonly token?: boolean;
}

export type Admission = 'owner' | 'granted' | 'allowed' | 'token' | 'denied' | 'unknown';

const E_MAIL = /^[^\s@]+@[^\s@]+$/;

/** What a word of `share.grants` means; undefined: nothing. */
export function grantKind(word: string): 'network' | 'unproven' | 'id' | 'account' | undefined {
  if (word === NETWORK || word === UNPROVEN) return word;
  if (isPrincipalId(word)) return 'id';
  return E_MAIL.test(word) ? 'account' : undefined;
}

export function grantsOf(words: readonly string[]): Grants {
  return {
    ids: new Set(words.filter((word) => grantKind(word) === 'id')),
    accounts: words.filter((word) => grantKind(word) === 'account'),
    network: words.includes(NETWORK),
    unproven: words.includes(UNPROVEN),
  };
}

export function admissionOf({ id, proven }: Principal, { grants, owners, decision, token }: AdmissionFacts): Admission {
  if (decision === 'denied') return 'denied';
  if (token === true) return 'token';
  if (owners.has(id)) return 'owner';
  if (decision === 'allowed') return 'allowed';
  const granted = proven ? grants.network || grants.ids.has(id) : id === UNPROVEN && grants.unproven;
  return granted ? 'granted' : 'unknown';
}

/** Whether an admission lets in. */
export function letsIn(admission: Admission): boolean {
  return admission !== 'denied' && admission !== 'unknown';
}
