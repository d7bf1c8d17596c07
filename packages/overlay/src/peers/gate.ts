// The host's side of proofs, for one share: who came, whether he may come in, and the proof of our own that he is shown.
// Everything that judges a caller goes through `judge`: a link with its proof, and what has none (HTTP, bare NDJSON).
// A caller without a proof is the folder's user on local, and `unproven` elsewhere: its claim is shown, never matched.

import type { Duplex } from 'node:stream';
import { OverlayError } from '../errors.ts';
import type { Overlay, PeerHint } from '../overlay.ts';
import { OWNER, type Principal, UNPROVEN } from '../proof/principal.ts';
import type { ProofOnWire } from '../proof/proof.ts';
import { judgeProof, makeProof } from '../proof/prove.ts';
import { SeenProofs } from '../proof/seen-proofs.ts';
import { type Admission, admissionOf, type Grants, letsIn } from './admission.ts';
import { ownersOf } from './owners.ts';
import type { PeerBook } from './peer-book.ts';
import { offered } from './self.ts';
import { occasionOf } from './share-guard.ts';

export interface GateRefusal {
  readonly code: string;
  readonly reason: string;
  readonly retryMs?: number;
}

export type GateJudgement =
  | { readonly principal: Principal }
  | {
      readonly refused: GateRefusal;
      /** Who it is, where that is known, and what it says of itself: for the record. */
      readonly ident?: string;
      readonly claimed?: string | undefined;
    };

export interface Gate {
  /** `proof` null: it has none. Never rejects. */
  judge(connection: Duplex, proof: Readonly<Record<string, unknown>> | null): Promise<GateJudgement>;
  /** What to show the caller on this connection; null: nothing. */
  prove(connection: Duplex): Promise<ProofOnWire | null>;
  /** Whether it was denied meanwhile. */
  denied(id: string): boolean;
}

export interface GateOptions {
  readonly overlay: Overlay;
  /** Known once it is listened on; what is signed names it. */
  readonly share: Promise<string>;
  readonly grants: Grants;
  /** Principal ids that host this share besides us. */
  readonly hosts?: readonly string[];
  readonly book?: PeerBook;
  /** Whom else the share admits: who has something to do there. */
  admits?(principal: Principal): boolean;
  /** What its operator types to let this id in. */
  remedy(id: string): string;
  readonly log: { warn(fields: object, event: string): void };
  readonly now?: () => number;
}

/** A controller that is away is asked again by then. */
const ASK_AGAIN_MS = 5000;

export function openGate(options: GateOptions): Gate {
  const { overlay, share, grants, hosts = [], book, remedy, log, now = Date.now } = options;
  const owners = ownersOf(overlay, now);
  const seen = new SeenProofs();

  const identify = async (connection: Duplex, proof: Readonly<Record<string, unknown>> | null): Promise<Principal> => {
    const trusted = (await overlay.proofs?.trust()) ?? [];
    if (proof === null || trusted.length === 0) return withoutProof(connection, overlay);
    const occasion = occasionOf(overlay, 'dialer', await share, connection);
    if (!occasion) {
      throw new OverlayError('proof_unbound', 'a proof came on a connection that cannot carry one');
    }
    const { id, name } = judgeProof(proof, occasion, { trusted, now: now(), seen });
    return { id, name: book?.get(id)?.name ?? name, proven: true, via: overlay.kind, groups: [] };
  };

  const admit = async (principal: Principal): Promise<Admission> => {
    const decision = book?.get(principal.id)?.decision;
    const admission = admissionOf(principal, { grants, decision, owners: await owners() });
    return admission === 'unknown' && options.admits?.(principal) === true ? 'granted' : admission;
  };

  const judge = async (connection: Duplex, proof: Readonly<Record<string, unknown>> | null): Promise<GateJudgement> => {
    const claimed = claimOf(connection);
    const principal = await identify(connection, proof);
    const admission = await admit(principal);
    if (letsIn(admission)) {
      book?.saw({ id: principal.id, claimed, outcome: admission });
      return { principal: admission === 'owner' && principal.proven ? { ...principal, owner: true } : principal };
    }
    const refused = admission === 'denied' ? denial(principal) : stranger(principal, claimed, remedy);
    book?.saw({ id: principal.id, claimed, outcome: refused.code });
    return { refused, ident: principal.id, claimed };
  };

  return {
    judge: async (connection, proof) => {
      try {
        return await judge(connection, proof);
      } catch (error) {
        if (!(error instanceof OverlayError)) {
          log.warn({ error: String(error) }, 'caller cannot be judged');
          const reason = 'this host cannot tell who you are; its log says why';
          return { refused: { code: 'peer_refused', reason }, claimed: claimOf(connection) };
        }
        const { code, message, hint } = error;
        book?.saw({ id: UNPROVEN, claimed: claimOf(connection), outcome: code });
        const reason = hint === undefined ? message : `${message}; ${hint}`;
        const retry = code === 'overlay_unavailable' && { retryMs: ASK_AGAIN_MS };
        return { refused: { code, reason, ...retry }, claimed: claimOf(connection) };
      }
    },
    prove: async (connection) => {
      const credential = await offered(overlay, now());
      const occasion = credential && occasionOf(overlay, 'host', await share, connection);
      return credential && occasion ? makeProof(credential, occasion, hosts) : null;
    },
    denied: (id) => book?.get(id)?.decision === 'denied',
  };
}

function withoutProof(connection: Duplex, { kind: via }: Overlay): Principal {
  if (via === 'local') return { id: OWNER, name: OWNER, proven: false, via, groups: [] };
  return { id: UNPROVEN, name: claimOf(connection) ?? UNPROVEN, proven: false, via, groups: [] };
}

function claimOf(connection: Duplex): string | undefined {
  return (connection as { peer?: PeerHint }).peer?.claimed;
}

function denial({ id }: Principal): GateRefusal {
  return { code: 'peer_denied', reason: `${id} was denied by the operator of this share` };
}

function stranger({ id, proven }: Principal, claimed: string | undefined, remedy: GateOptions['remedy']): GateRefusal {
  if (proven) {
    const reason = `${id} is not let in on this share; its operator lets it in with: ${remedy(id)}`;
    return { code: 'peer_refused', reason };
  }
  const who = claimed === undefined ? 'this caller' : `this caller, who claims to be ${claimed},`;
  const reason = `${who} proves no identity and is not let in; come with an identity of the network (mcp-tools status shows yours), or its operator lets in everybody with: ${remedy(UNPROVEN)}`;
  return { code: 'peer_unproven', reason };
}
