// `mcp-gateway audit verify [PATH]`: whether a log is what was written. Exit 0 it is, 1 it was changed, 2 only its end is
// torn, as a crash leaves it, 3 nobody can say (a key is missing), 4 it cannot be read.

import { readFile } from 'node:fs/promises';
import { type ExitCode, type Flags, printJson, say, UsageError } from '@mcp-overlay/cli';
import { AuditError, systemCode } from '../../audit/errors.ts';
import { diskFiles } from '../../audit/files.ts';
import { readPublicKeys } from '../../audit/public-keys.ts';
import { segmentName } from '../../audit/record.ts';
import { type Anchor, parseAnchors, parseTyped } from '../../audit/verify/anchors.ts';
import { checkProof } from '../../audit/verify/proof.ts';
import { type Verdict, verifyLog } from '../../audit/verify/verify.ts';
import { type AuditAction, countFlag, logsFrom } from './action.ts';

const CODES = { ok: 0, tampered: 1, torn: 2, unverifiable: 3 } as const;
const UNREADABLE = 4;
/** Of several logs the worst counts. */
const WORST = [CODES.tampered, UNREADABLE, CODES.unverifiable, CODES.torn, CODES.ok] as const;
const CANNOT_SAY = new Set(['audit_key_unknown', 'audit_key_invalid']);

export const verifyAction: AuditAction = {
  describe: 'whether anybody changed, cut or reordered it',
  options: ['from', 'anchor', 'proof', 'vkey', 'json'],
  run: async (flags: Flags) => {
    try {
      return flags.proof === undefined ? await verifyLogs(flags) : await verifyProof(flags);
    } catch (error) {
      const { code, message, hint } = error as AuditError;
      if (!(error instanceof AuditError) && !String(code).startsWith('secret_')) throw error;
      say(`mcp-gateway: ${message} (${code})`, hint);
      return CANNOT_SAY.has(code) || String(code).startsWith('secret_') ? CODES.unverifiable : UNREADABLE;
    }
  },
};

async function verifyLogs(flags: Flags): Promise<ExitCode> {
  const anchors = (await Promise.all(texts(flags.anchor).map(anchorsOf))).flat();
  const from = countFlag(flags, 'from');
  const found = new Set<number>();
  for (const { id, path, ring } of await logsFrom(flags)) {
    const own = (await readPublicKeys(path, diskFiles))?.checkpoints ?? [];
    const given = texts(flags.vkey);
    const verdict = await verifyLog({
      folder: path,
      log: id,
      ring,
      files: diskFiles,
      anchors,
      checkpointKeys: given.length > 0 ? given : own,
      ...(from === undefined ? {} : { from }),
    });
    found.add(CODES[verdict.status]);
    if (flags.json === true) printJson(verdict);
    else show(verdict);
  }
  return WORST.find((code) => found.has(code)) ?? CODES.ok;
}

async function verifyProof(flags: Flags): Promise<ExitCode> {
  const keys = texts(flags.vkey);
  if (keys.length === 0) {
    throw new UsageError(
      'audit verify --proof: --vkey is missing',
      'it stands in keys.json of the log; ask for it once, keep it',
    );
  }
  const verdict = checkProof((await readText(String(flags.proof))).toString(), keys);
  if (flags.json === true) printJson(verdict);
  else if (verdict.ok) process.stdout.write(`record ${verdict.seq} of log ${verdict.log}:\n${verdict.record}\n`);
  else say(`mcp-gateway: ${String(flags.proof)}: ${verdict.why}`);
  return verdict.ok ? CODES.ok : CODES.tampered;
}

async function anchorsOf(named: string): Promise<Anchor[]> {
  const typed = parseTyped(named, named);
  return typed ? [typed] : parseAnchors(await readText(named), named);
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new AuditError('audit_unreadable', `${path} cannot be read (${systemCode(cause)})`, { cause });
  }
}

function show({
  status,
  log,
  records,
  segments,
  head,
  first,
  findings,
  torn,
  unverifiable,
  anchors,
  live,
  clockBack,
}: Verdict): void {
  const lines = [
    `log ${log}: ${status}, ${records} records in ${segments} files, the last is ${head.seq} sha256:${head.hash}`,
  ];
  if (first) {
    const where = `record ${first.seq}, ${segmentName(first.seg)} byte ${first.offset}`;
    lines.push(`  ${first.class} at ${where}${findings > 1 ? `, and ${findings - 1} more findings after it` : ''}`);
  }
  if (unverifiable) {
    const { count, kid, seq } = unverifiable;
    lines.push(`  ${count} records from ${seq} on are under key ${kid}, which is not known: add it with --keyring`);
  }
  if (torn && live) lines.push('  it is being written');
  else if (torn)
    lines.push(
      `  ${torn.bytes} bytes at its end are no whole record, as a crash leaves them: ${segmentName(torn.seg)} byte ${torn.offset}`,
    );
  if (clockBack > 0) lines.push(`  the wall clock went back ${clockBack} times; records are in order`);
  if (anchors > 0) lines.push(`  ${anchors} anchors hold`);
  else if (!first) lines.push('  nothing was compared with it (--anchor): that its end was cut off would not be seen');
  process.stdout.write(`${lines.join('\n')}\n`);
}

function texts(flag: unknown): string[] {
  return Array.isArray(flag) ? flag.map(String) : [];
}
