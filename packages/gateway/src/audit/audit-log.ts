// What the rest of the gateway knows of the audit log: an event goes in, a receipt comes out when it is as durable as
// configured. Who writes events: stage.ts (calls), share.ts (sessions, refusals), gateway.ts (configuration). Values of a call
// are redacted here, below this door, and nowhere else.

import type { AuditReceipt, TargetKind } from '../call/call.ts';

export type { AuditReceipt } from '../call/call.ts';

/** Who acts, as it stands in every event of a session. */
export interface AuditActor {
  /** The session's number in this gateway. */
  readonly session: number;
  /** Principal id. */
  readonly ident: string;
}

export type AuditEvent =
  | (AuditActor & {
      readonly type: 'session.open';
      readonly name: string;
      readonly proven: boolean;
      readonly via: string;
      readonly roles: readonly string[];
      /** That it came over the share of. */
      readonly view?: string;
      readonly by?: string;
    })
  | (AuditActor & { readonly type: 'session.close'; readonly calls: number; readonly reason: string })
  /** Somebody was not let in. `claimed` is what it said of itself. */
  | {
      readonly type: 'auth.deny';
      readonly ident?: string;
      readonly claimed?: string;
      readonly code: string;
      /** How many before it were too many to record. */
      readonly unrecorded?: number;
    }
  /** A call that rules let through, before the backend sees it. */
  | (AuditActor & CallFacts & { readonly type: 'call.intent'; readonly args: unknown })
  | CallOutcome
  /** Scrubbing found something: by rule what was done, on which surface, how often and where; never what it was. */
  | (AuditActor & {
      readonly type: 'scrub.hit';
      readonly method: string;
      readonly backend: string;
      readonly target?: string;
      /** The call's intent. */
      readonly of?: number;
      /** `rule mode surface ×count start-end…` */
      readonly hits: readonly string[];
    })
  /** Something rang (../alarms): which rule, of whom, and by which records; never a value of a call. */
  | {
      readonly type: 'alarm';
      /** Of its cause. */
      readonly id: string;
      readonly rule: string;
      readonly ident?: string;
      readonly backend?: string;
      readonly target?: string;
      readonly why: string;
      readonly count: number;
      readonly seqs: readonly number[];
      /** Nobody was told. */
      readonly silenced?: boolean;
    }
  /** Definitions that were seen for the first time and are kept: how many, and a digest over them. */
  | {
      readonly type: 'pin.new';
      readonly backend: string;
      readonly what: string;
      readonly count: number;
      readonly digest: string;
    }
  /** What a server says of a tool, or of itself, is not what was seen or approved. `was` is absent for what is new. */
  | {
      readonly type: 'pin.change';
      readonly backend: string;
      /** `tools`, `prompts`, … or `program`, `version`. */
      readonly what: string;
      readonly target?: string;
      readonly was?: string;
      readonly now: string;
      readonly reason: string;
    }
  | { readonly type: 'config.apply' | 'config.reject'; readonly digest: string; readonly reason?: string }
  /** A decision of the operator: peers allow, token revoke, approve … */
  | { readonly type: 'admin'; readonly what: string; readonly target: string; readonly by: string };

/** What became of a call, before the caller sees it; also of one that never came to an intent (`of` absent). */
export interface CallOutcome extends AuditActor, CallFacts {
  readonly type: 'call.outcome';
  readonly of?: number | undefined;
  readonly status: CallStatus;
  readonly code?: number | string | undefined;
  readonly ms: number;
  readonly bytes: number;
  readonly result?: Uint8Array | undefined;
  readonly args?: unknown;
  readonly why?: string | undefined;
  /** Notifications that were not passed on, of one burst. */
  readonly count?: number | undefined;
}

/** Of a call; what is not known yet is absent, or undefined: written out as one literal every event of a kind has one shape,
 *  without that putting them together and reading them takes longer than hashing them. */
export interface CallFacts {
  readonly method: string;
  /** The backend asks the client; absent: the client calls. */
  readonly from?: 'backend' | undefined;
  readonly backend?: string | undefined;
  readonly kind?: TargetKind | undefined;
  /** The backend's own name. */
  readonly target?: string | undefined;
  readonly decision?: 'allow' | 'deny' | 'shadow' | undefined;
  readonly rule?: string | undefined;
  readonly role?: string | undefined;
  /** Digest of the rules in force. */
  readonly policy?: string | undefined;
}

/** `refused`: by us, before the backend saw it. `error`: the backend's own. `unknown`: nobody can say whether it ran. */
export type CallStatus = 'ok' | 'error' | 'refused' | 'timeout' | 'cancelled' | 'unknown';

export interface AuditLog {
  readonly id: string;
  /**
   * Rejects where the log cannot be written and its configuration says that nothing goes on without it. undefined: it cannot
   * be written, and the configuration lets things go on (`on_failure: buffer` or `allow`).
   */
  append(event: AuditEvent): Promise<AuditReceipt | undefined>;
  /** For status: how far it is, and whether it can be written. */
  state(): AuditState;
  close(): Promise<void>;
}

export interface AuditState {
  readonly head: AuditReceipt;
  readonly path: string;
  readonly durability: 'commit' | 'interval' | 'os';
  /** In words, where something is wrong. */
  readonly trouble?: string;
}
