// What the operator sees of pins, and decides: over the admin socket of a running gateway, or where none runs.

import { stringifyExact } from '@mcp-overlay/relay';
import type { AuditEvent } from './audit/audit-log.ts';
import { type PinEvent, type Pins, shortHash } from './pins/open.ts';
import type { Pin, PinKey, PinList } from './pins/pin-book.ts';

/** One definition that waits for a decision, or was approved. */
export interface PinView {
  readonly backend: string;
  readonly list: PinList;
  readonly name: string;
  readonly hash: string;
  /** To be typed in. */
  readonly short: string;
  readonly why: string;
  /** As JSON, every number as it is. */
  readonly text: string;
  /** What is approved now; absent: it is new. */
  readonly before?: { readonly hash: string; readonly text: string; readonly by: string; readonly at: string };
}

export interface Decision {
  readonly backend: string;
  readonly list: PinList;
  readonly name: string;
  readonly hash: string;
  readonly state: 'approved' | 'denied';
}

export interface Approvals {
  waiting(): Promise<readonly PinView[]>;
  /** What is served now, and could be denied. */
  all(): Promise<readonly PinView[]>;
  /** false: nothing with this hash is there any more. Rejects where it cannot be recorded or kept. */
  decide(decision: Decision): Promise<boolean>;
}

export function approvalsOf(
  pins: Pins | undefined,
  { record, by }: { record(what: string, target: string): Promise<void>; readonly by: string },
): Approvals {
  return {
    waiting: async () =>
      (pins?.waiting() ?? []).map((one) => {
        const [before] = one.pins;
        const was = before && { ...of(before), by: before.by, at: before.at };
        return { ...keyOf(one), ...of(one), why: one.why, ...(was && { before: was }) };
      }),
    all: async () => (pins?.all() ?? []).map((pin) => ({ ...keyOf(pin), ...of(pin), why: pin.state })),
    decide: async ({ backend, list, name, hash, state }) => {
      if (!pins) return false;
      const there = [...pins.waiting(), ...pins.all()].some(
        (one) => one.backend === backend && one.list === list && one.name === name && one.hash === hash,
      );
      if (!there) return false;
      await record(state === 'approved' ? 'approve' : 'approve --deny', `${backend}/${list}/${name} ${hash}`);
      return (await pins.decide({ backend, list, name }, hash, state, by)) !== undefined;
    },
  };
}

function keyOf({ backend, list, name }: PinKey): PinKey {
  return { backend, list, name };
}

function of({ hash, item }: Pick<Pin, 'hash' | 'item'>): Pick<PinView, 'hash' | 'short' | 'text'> {
  return { hash, short: shortHash(hash), text: stringifyExact(item) };
}

export function auditOf(event: PinEvent): AuditEvent {
  const { backend } = event;
  switch (event.what) {
    case 'recorded':
      return { type: 'pin.new', backend, what: event.list, count: event.count, digest: event.digest };
    case 'changed':
    case 'unapproved': {
      const { list, name: target, was, now, what: reason } = event;
      return { type: 'pin.change', backend, what: list, target, ...(was !== undefined && { was }), now, reason };
    }
    default: {
      const { was, now, what: reason } = event;
      return { type: 'pin.change', backend, what: reason === 'upgrade' ? 'version' : 'program', was, now, reason };
    }
  }
}
