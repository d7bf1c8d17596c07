// Who somebody is, as decided here: from a proof, or from the folder of the local overlay. A claim never becomes one.

import { OverlayError } from '../errors.ts';
import { PROOF_LIMITS } from '../limits.ts';
import type { OverlayKind } from '../overlay.ts';

export interface Principal {
  /** `ziti:<identity id>`, `spiffe://…`, `x509:<subject>`, `token:<id>` (of one made from it `token:<id>/<its own id>`),
   *  `jwt:<issuer>#<sub>`; `owner`, `unproven`. What rules are written for. */
  readonly id: string;
  /** For people: never matched. */
  readonly name: string;
  readonly proven: boolean;
  /** It came with a proof and owns the share: rules for the owner are for it too. */
  readonly owner?: true;
  /** The network it came over. */
  readonly via: OverlayKind;
  /** Names that whoever vouches for it says it belongs to; rules may be written for `group:<name>`. */
  readonly groups: readonly string[];
  /** Roles that an access token carries itself. Absent: the configuration says which. */
  readonly roles?: readonly string[];
  /** Of an access token and of everybody who narrowed it: a request passes only where every one lets it. */
  readonly restrictions?: readonly Restriction[];
  /** Of a token, milliseconds since the epoch: then its sessions end. */
  readonly expiresAt?: number;
  /** Tells two credentials of one id apart: a JWT that was renewed may give other rights. */
  readonly stamp?: string;
}

/** What a token may be used for. A member that is absent restricts nothing; an empty list lets nothing through. Lists hold
 *  globs on backend ids and on the backends' own names. A restriction on tools alone lets through no prompt or resource. */
export interface Restriction {
  readonly roles?: readonly string[];
  readonly backends?: readonly string[];
  readonly tools?: readonly string[];
  readonly prompts?: readonly string[];
  readonly resources?: readonly string[];
}

/** The user of the state folder: whoever reaches a local share without a proof. */
export const OWNER = 'owner';
/** Everybody without a proof, as a whole. */
export const UNPROVEN = 'unproven';

const FORMS = [
  /^ziti:[A-Za-z0-9._-]{1,64}$/,
  /^spiffe:\/\/[a-z0-9._-]{1,255}\/[\x21-\x7e]+$/,
  /^x509:.+$/,
  /^token:[0-9a-f]{24}(?:\/[0-9a-f]{24})?$/,
  /^jwt:https?:\/\/[^#\s]+#.+$/,
];
/** What steers a terminal or is not seen has no place in an id; ids from certificates have it escaped. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/** Whether it names somebody who can prove it. */
export function isPrincipalId(text: string): boolean {
  return text.length <= PROOF_LIMITS.principalChars && !UNSEEN.test(text) && FORMS.some((form) => form.test(text));
}

/** The ids that speak for this one: its own, and that of the token it was made from. Who shuts out or gives roles to a token
 *  means what was made from it, too. */
export function idsOf(id: string): readonly string[] {
  const [, root] = /^(token:[0-9a-f]{24})\//.exec(id) ?? [];
  return root === undefined ? [id] : [id, root];
}

/** Throws `proof_not_identity` where a name cannot be an id. */
export function checkedId(text: string): string {
  if (isPrincipalId(text)) return text;
  throw new OverlayError('proof_not_identity', 'the certificate names nobody in a form that can be an identity');
}
