// Test doubles of the gateway's contracts, one by one.
export { type MemoryAuditLog, memoryAuditLog } from './memory-audit-log.ts';
