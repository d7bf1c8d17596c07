// A record as a reader has it: an object of JSON, members as docs/AUDIT.md names them.

export type AuditRecord = Readonly<Record<string, unknown>>;

export function textOf(record: AuditRecord, member: string): string | undefined {
  const value = record[member];
  return typeof value === 'string' ? value : undefined;
}

export function numberOf(record: AuditRecord, member: string): number | undefined {
  const value = record[member];
  return typeof value === 'number' ? value : undefined;
}

/** Milliseconds since the epoch, by the wall clock of the gateway. */
export function timeOf(record: AuditRecord): number {
  return Date.parse(String(record.ts));
}
