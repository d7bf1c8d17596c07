// The audit log alone: `node --import tsx bench/audit.ts ROUNDS RECORDS` prints its figures as JSON, a list of samples each.
// Durable records a second with 64 callers, records a second that a verifier reads, CPU of one call (intent and outcome).

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditLog } from '../packages/gateway/src/audit/audit-log.ts';
import { diskFiles } from '../packages/gateway/src/audit/files.ts';
import { KeyRing } from '../packages/gateway/src/audit/keys.ts';
import { openAuditLog } from '../packages/gateway/src/audit/open-audit-log.ts';
import { verifyLog } from '../packages/gateway/src/audit/verify/verify.ts';

const CALLERS = 64;
const KEY = Buffer.alloc(32, 7);
const [rounds = 3, records = 60_000] = process.argv.slice(2).map(Number);

const actor = { session: 47, ident: 'ziti:Ab3dE.f7H' } as const;
const facts = {
  method: 'tools/call',
  backend: 'github',
  kind: 'tool',
  target: 'create_issue',
  decision: 'allow',
  rule: 'engineer/2',
  role: 'engineer',
  policy: `sha256:${'5e'.repeat(32)}`,
} as const;
const args = {
  owner: 'acme',
  repo: 'website',
  title: 'The door is open',
  body: 'It should be closed. '.repeat(8),
  labels: ['bug'],
};
const result = Buffer.alloc(800, 'r');

async function call(log: AuditLog): Promise<void> {
  const intent = await log.append({ type: 'call.intent', ...actor, ...facts, args });
  const of = intent ? { of: intent.seq } : {};
  await log.append({ type: 'call.outcome', ...actor, ...facts, ...of, status: 'ok', ms: 12.345, bytes: 800, result });
}

async function measure(
  durability: 'commit' | 'os',
  calls: number,
): Promise<{ perSecond: number; cpuUs: number; verified: number }> {
  const base = join(mkdtempSync(join(tmpdir(), 'audit-bench-')), 'log');
  try {
    const log = await openAuditLog({ base, key: KEY, durability });
    await callers(log, 2000);
    const cpu = process.cpuUsage();
    const since = performance.now();
    await callers(log, calls);
    const took = performance.now() - since;
    const { user, system } = process.cpuUsage(cpu);
    await log.close();
    const { path } = log.state();
    const began = performance.now();
    const verdict = await verifyLog({ folder: path, log: log.id, ring: new KeyRing([KEY]), files: diskFiles });
    if (verdict.status !== 'ok') throw new Error(`the log is ${verdict.status}`);
    const verified = verdict.records / ((performance.now() - began) / 1000);
    return { perSecond: (calls * 2) / (took / 1000), cpuUs: (user + system) / calls, verified };
  } finally {
    rmSync(join(base, '..'), { recursive: true, force: true });
  }
}

async function callers(log: AuditLog, calls: number): Promise<void> {
  let left = calls;
  const caller = async (): Promise<void> => {
    for (; left > 0; ) {
      left -= 1;
      await call(log);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}

const figures = { auditDurablePerSecond: [], auditVerifiedPerSecond: [], auditCallCpuUs: [] } as Record<
  string,
  number[]
>;
for (let round = 0; round < rounds; round += 1) {
  const durable = await measure('commit', records / 2);
  const cached = await measure('os', records / 2);
  figures.auditDurablePerSecond?.push(durable.perSecond);
  figures.auditVerifiedPerSecond?.push(durable.verified, cached.verified);
  figures.auditCallCpuUs?.push(cached.cpuUs);
}
process.stdout.write(`${JSON.stringify(figures)}\n`);
