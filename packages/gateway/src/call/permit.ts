// Proof that a rule let this call through. Only policy makes one, and a backend takes no call without it.

declare const permitted: unique symbol;

export interface Permit {
  readonly [permitted]: true;
  /** What let it through, for the record. */
  readonly rule: string;
}

/** For policy/ only. */
export function permit(rule: string): Permit {
  return { rule } as Permit;
}
