// The keys of `audit`: where calls are put on record, under which key, and what happens when they cannot be.

import type { AuditConfig } from './config.ts';
import { compact } from './config.ts';
import { parseSecretReference, SECRET_REFERENCE_FORM, type SecretReference } from './secret/reference.ts';
import { bool, choice, count, field, list, object, parsed, path, type Shape } from './shape.ts';
import { DURATION_FORM, parseDuration, parseSize } from './units.ts';

const duration = parsed<number>(DURATION_FORM, (value) => parseDuration(value) ?? { refused: DURATION_FORM });
const reference = parsed<SecretReference>(
  SECRET_REFERENCE_FORM,
  (value) => parseSecretReference(value) ?? { refused: SECRET_REFERENCE_FORM },
  { secret: true },
);
const size = { form: 'bytes (64MiB)', parse: parseSize };

const buffer = object({ buffer: field(count(1, 100_000), 'records', { required: true }) });
const onFailureWord = choice(['deny', 'allow'], { buffer: 'write on_failure: { buffer: 1000 }' });
const onFailure: Shape<'deny' | 'allow' | { readonly buffer: number }> = {
  form: 'deny, allow or { buffer: N }',
  read: (node, spot, reading) => {
    if (node.kind !== 'map') return onFailureWord.read(node, spot, reading);
    const records = buffer.read(node, spot, reading)?.buffer;
    return records === undefined ? undefined : { buffer: records };
  },
};

const auditObject = object({
  path: field(path(), 'folder of the log; made if it is absent, and of nobody else', {
    default: 'in the state folder',
    example: './audit',
  }),
  key: field(
    reference,
    '32 bytes or more that authenticate records, and from which the key for digests of arguments comes; with forward_secure only the latter',
    {
      default: 'made beside the log',
      example: '"file:/etc/mcp/audit.key"',
    },
  ),
  keys: field(list(reference), 'keys that were in use before: with them older records can still be checked', {
    default: 'none',
    example: '["file:/etc/mcp/audit.key.2025"]',
  }),
  durability: field(
    choice(['commit', 'interval', 'os']),
    'commit: on the disk before a call goes on; interval: written, and on the disk a moment later; os: written, which a crash of this program cannot undo, but a loss of power can',
    { default: 'commit' },
  ),
  interval: field(duration, 'of durability: interval', { default: '1s' }),
  arguments: field(
    choice(['digest', 'sealed', 'clear']),
    'of calls. digest: their shape, and keyed digests that tell equal values; sealed: also encrypted, for who has the key; clear: as they are',
    { default: 'digest' },
  ),
  on_failure: field(
    onFailure,
    'when the log cannot be written. deny: calls are refused; buffer: so many records are remembered, then calls are refused; allow: calls go on unrecorded',
    { default: 'deny', example: '{ buffer: 1000 }' },
  ),
  rotate: field(
    object({
      bytes: field(count(64 * 1024, 1024 * 1024 * 1024, size), 'a segment ends when it is as long', {
        default: '64MiB',
      }),
      age: field(duration, 'or as old', { default: '24h; 15m with forward_secure' }),
    }),
    'when the log begins a new file',
  ),
  checkpoint: field(
    object({
      key: field(reference, 'an Ed25519 key (openssl genpkey -algorithm ed25519)', { required: true }),
      every: field(duration, 'besides at the end of each segment', { default: '10m' }),
    }),
    'signed notes about how far the log is, with which others can check it without a secret',
  ),
  forward_secure: field(
    bool(),
    'the key changes with each segment and the old one is destroyed: who takes over this machine cannot rewrite what was before. The first key is shown once, by mcp-gateway audit key',
    { default: 'false' },
  ),
  receipts: field(bool(), "each result tells its record's number and hash, which its caller can keep", {
    default: 'true',
  }),
});

/** `off`, or where it is. */
export const auditShape: Shape<'off' | NonNullable<ReturnType<typeof auditObject.read>>> = {
  ...auditObject,
  form: 'a mapping, or off',
  read: (node, spot, reading) =>
    node.kind === 'scalar' && node.value === 'off' ? 'off' : auditObject.read(node, spot, reading),
};

type RawAudit = NonNullable<ReturnType<typeof auditShape.read>>;

export function buildAudit(raw: RawAudit): AuditConfig | 'off' {
  if (raw === 'off') return raw;
  const { checkpoint } = raw;
  return {
    keys: raw.keys ?? [],
    durability: raw.durability ?? 'commit',
    arguments: raw.arguments ?? 'digest',
    onFailure: raw.on_failure ?? 'deny',
    rotate: compact({ bytes: raw.rotate?.bytes, ageMs: raw.rotate?.age }),
    forwardSecure: raw.forward_secure ?? false,
    receipts: raw.receipts ?? true,
    ...compact({
      path: raw.path,
      key: raw.key,
      intervalMs: raw.interval,
      checkpoint: checkpoint?.key && compact({ key: checkpoint.key, everyMs: checkpoint.every }),
    }),
  };
}
