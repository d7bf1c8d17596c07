// The audit log alone, in a process of its own (bench/audit.ts).
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));

export async function measureAudit({ rounds, auditRecords }) {
  const args = ['--import', 'tsx', join(root, 'bench', 'audit.ts'), `${rounds.audit}`, `${auditRecords}`];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
  return JSON.parse(stdout);
}
