// The host's side of proofs, for one share: who came, whether he may come in, and the proof of our own that he is shown.
// Everything that judges a caller goes through `judge`: a link with its proof, and what has none (HTTP, bare NDJSON).
// A caller without a proof is the folder's user on local, and `unproven` elsewhere: its claim is shown, never matched.
// One that brings a token is its token's, whatever it could prove besides. Who is in is judged again (./standing.ts).

import type { Duplex } from 'node:stream';
import { type AccessOptions, ANNOUNCED, judgeAccess } from '../access/judge.ts';
import { OverlayError } from '../errors.ts';
import type { Overlay, PeerHint } from '../overlay.ts';
import { idsOf, OWNER, type Principal, UNPROVEN } from '../proof/principal.ts';
import type { ProofOnWire } from '../proof/proof.ts';
import { judgeProof, makeProof } from '../proof/prove.ts';
import { SeenProofs } from '../proof/seen-proofs.ts';
import { type Admission, admissionOf, type Grants, letsIn } from './admission.ts';
import { ownersOf } from './owners.ts';
import type { PeerBook } from './peer-book.ts';
import { evidenceOf } from './proven.ts';
import { offered } from './self.ts';
import { occasionOf } from './share-guard.ts';
import { type Evidence, type Standing, watchStanding } from './standing.ts';

export interface GateRefusal {
  readonly code: string;
  readonly reason: string;
  readonly retryMs?: number;
}

export type GateJudgement =
  /** `as`: for whom it is taken, told to whoever brought a token. */
  | { readonly principal: Principal; readonly as?: string }
  | {
      readonly refused: GateRefusal;
      /** Who it is, where that is known, and what it says of itself: for the record. */
      readonly ident?: string;
      readonly claimed?: string | undefined;
    }
  /** It announced a token that is shown to a host that proved itself. */
  | { readonly asks: true };

export interface Gate {
  /** `proof` null: it has none. Never rejects. */
  judge(connection: Duplex, proof: Readonly<Record<string, unknown>> | null): Promise<GateJudgement>;
  /** What to show the caller on this connection; null: nothing. */
  prove(connection: Duplex): Promise<ProofOnWire | null>;
  /** Whether it was denied meanwhile. */
  denied(id: string): boolean;
  /** Calls `end` as soon as what let this caller in stands no more. Returns how to stop. */
  watch(principal: Principal, end: (refusal: GateRefusal) => void): () => void;
  /** The same caller came again, newly judged: from here on that counts. */
  renew(known: Principal, again: Principal): void;
  /** Judges everybody who is watched, now. */
  check(): Promise<void>;
  /** Why somebody who is in would not be let in any more; undefined: he would. */
  outgrown(principal: Principal): Promise<GateRefusal | undefined>;
}

/** What is read each time may change while it stands: grants, hosts, access. */
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
  /** Absent: access tokens are not taken here. */
  readonly access?: AccessOptions | undefined;
  /** What its operator types to let this id in. */
  remedy(id: string): string;
  readonly log: { warn(fields: object, event: string): void };
  readonly now?: () => number;
}

interface Identified {
  readonly principal: Principal;
  readonly evidence: Evidence;
  /** One of this gateway. */
  readonly token: boolean;
}

/** A controller that is away is asked again by then. */
const ASK_AGAIN_MS = 5000;
const PASSING: ReadonlySet<string> = new Set(['overlay_unavailable', 'jwt_keys_unavailable']);

export function openGate(options: GateOptions): Gate {
  const { overlay, share, book, remedy, log, now = Date.now } = options;
  const owners = ownersOf(overlay, now);
  const seen = new SeenProofs();
  const trust: Parameters<typeof watchStanding>[0]['trust'] = async () => (await overlay.proofs?.trust()) ?? [];
  const standing: Standing = watchStanding({ trust, now, log });
  const evidence = new WeakMap<Principal, Evidence>();
  /** Whom a token of the operator let in. */
  const byToken = new WeakSet<Principal>();

  const identify = async (connection: Duplex, proof: Readonly<Record<string, unknown>> | null): Promise<Identified> => {
    const trusted = await trust();
    if (proof === null || trusted.length === 0)
      return { principal: withoutProof(connection, overlay), evidence: {}, token: false };
    const occasion = occasionOf(overlay, 'dialer', await share, connection);
    if (!occasion) {
      throw new OverlayError('proof_unbound', 'a proof came on a connection that cannot carry one');
    }
    const proven = judgeProof(proof, occasion, { trusted, now: now(), seen });
    const { id, name } = proven;
    const known = book?.get(id)?.name ?? name;
    const principal: Principal = { id, name: known, proven: true, via: overlay.kind, groups: [] };
    // A connection that ends is taken up anew, with a proof anew; what crosses on it waits for that.
    const ask = (): void => void connection.destroy();
    return { principal, evidence: evidenceOf(proven, { now: now(), trust, ask }), token: false };
  };

  const identifyToken = async (connection: Duplex, offer: unknown): Promise<Identified> => {
    const { access } = options;
    if (!access) {
      throw new OverlayError('access_not_taken', 'this host takes no access tokens', {
        hint: 'a gateway does; come without --access, or through the gateway in front',
      });
    }
    const named = await share;
    const occasion = occasionOf(overlay, 'dialer', named, connection);
    const place = { network: overlay.proofs?.network ?? overlay.kind, share: named };
    const { who, admitted, again } = await judgeAccess(offer, place, occasion, { options: access, now: now(), seen });
    const name = book?.get(who.id)?.name ?? who.name;
    const principal: Principal = { ...who, name, proven: true, via: overlay.kind };
    return { principal, evidence: { again }, token: admitted };
  };

  const denied = (id: string): boolean => idsOf(id).some((one) => book?.get(one)?.decision === 'denied');

  const admit = async (principal: Principal, token: boolean): Promise<Admission> => {
    const { id } = principal;
    const decision = denied(id) ? 'denied' : book?.get(id)?.decision;
    const { grants } = options;
    const admission = admissionOf(principal, { grants, decision, owners: await owners(), token });
    return admission === 'unknown' && options.admits?.(principal) === true ? 'granted' : admission;
  };

  const judge = async (connection: Duplex, proof: Readonly<Record<string, unknown>> | null): Promise<GateJudgement> => {
    const claimed = claimOf(connection);
    const offer = proof?.access;
    if (offer === ANNOUNCED && options.access) return { asks: true };
    const identified = await (offer === undefined ? identify(connection, proof) : identifyToken(connection, offer));
    const { principal, token } = identified;
    const admission = await admit(principal, token);
    if (letsIn(admission)) {
      book?.saw({ id: principal.id, claimed, outcome: admission });
      const who: Principal = admission === 'owner' && principal.proven ? { ...principal, owner: true } : principal;
      evidence.set(who, identified.evidence);
      if (token) byToken.add(who);
      return { principal: who, ...(offer !== undefined && { as: who.id }) };
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
        book?.saw({ id: UNPROVEN, claimed: claimOf(connection), outcome: error.code });
        return { refused: refusalOf(error), claimed: claimOf(connection) };
      }
    },
    prove: async (connection) => {
      const credential = await offered(overlay, now());
      const occasion = credential && occasionOf(overlay, 'host', await share, connection);
      return credential && occasion ? makeProof(credential, occasion, options.hosts ?? []) : null;
    },
    denied,
    watch: (principal, end) =>
      standing.watch(
        () => evidence.get(principal),
        (error) => end(refusalOf(error)),
      ),
    renew: (known, again) => {
      const newer = evidence.get(again);
      if (newer) evidence.set(known, newer);
    },
    check: standing.check,
    outgrown: async (principal) => {
      const admission = await admit(principal, byToken.has(principal));
      if (letsIn(admission)) return undefined;
      return admission === 'denied' ? denial(principal) : stranger(principal, undefined, remedy);
    },
  };
}

function refusalOf({ code, message, hint }: OverlayError): GateRefusal {
  const reason = hint === undefined ? message : `${message}; ${hint}`;
  return { code, reason, ...(PASSING.has(code) && { retryMs: ASK_AGAIN_MS }) };
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
