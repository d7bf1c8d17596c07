// OCSF 1.3, class 6003 API Activity (schema.ocsf.io): one JSON object a line. What the class has no attribute for stands in
// `unmapped`.

import { numberOf, textOf } from '../query/record.ts';
import { safeJson } from '../safe-json.ts';
import { argsDigest, type Format, PRODUCT, plain, resultDigest, sentence, severityOf, VENDOR } from './facts.ts';

const CATEGORY = 6;
const CLASS = 6003;
/** Whether a method of MCP reads or writes nobody knows but its server. */
const OTHER = 99;
const SEVERITIES = { info: 1, notice: 2, warning: 3, error: 4 } as const;
const STATUS: Readonly<Record<string, number>> = { ok: 1, error: 2, refused: 2, timeout: 2, cancelled: 2, unknown: 0 };
const STATUS_NAMES = ['Unknown', 'Success', 'Failure'];
const DECISIONS: Readonly<Record<string, number>> = { allow: 1, shadow: 1, deny: 2 };
const DECISION_NAMES = ['Unknown', 'Allowed', 'Denied'];
const UNMAPPED = [
  'type',
  'kind',
  'from',
  'of',
  'bytes',
  'decision',
  'rule',
  'role',
  'policy',
  'digest',
  'reason',
  'claimed',
];

export const ocsf: Format = (read, { version }) => {
  const { record, hash } = read;
  const ident = textOf(record, 'ident') ?? textOf(record, 'by');
  const name = textOf(record, 'name');
  const status = STATUS[String(record.status)];
  const action = DECISIONS[String(record.decision)];
  const unmapped = Object.fromEntries(
    [
      ...UNMAPPED.map((member) => [member, record[member]] as const),
      ['args_hmac', argsDigest(read)] as const,
      ['result_hmac', resultDigest(read)] as const,
    ].filter(([, value]) => value !== undefined),
  );
  return safeJson({
    activity_id: OTHER,
    activity_name: textOf(record, 'method') ?? textOf(record, 'type'),
    category_uid: CATEGORY,
    category_name: 'Application Activity',
    class_uid: CLASS,
    class_name: 'API Activity',
    type_uid: CLASS * 100 + OTHER,
    severity_id: SEVERITIES[severityOf(read)],
    time: Date.parse(String(record.ts)),
    message: sentence(read),
    count: numberOf(record, 'count'),
    duration: numberOf(record, 'ms') === undefined ? undefined : Math.round(numberOf(record, 'ms') ?? 0),
    status_id: status,
    status: status === undefined ? undefined : STATUS_NAMES[status],
    status_code: plain(read, 'code'),
    status_detail: textOf(record, 'why'),
    action_id: action,
    action: action === undefined ? undefined : DECISION_NAMES[action],
    actor: {
      user: { uid: ident ?? 'unknown', ...(name !== undefined && { name }) },
      ...(record.session !== undefined && { session: { uid: plain(read, 'session') } }),
      app_name: 'MCP client',
    },
    api: {
      operation: textOf(record, 'method') ?? textOf(record, 'what') ?? textOf(record, 'type'),
      request: { uid: `${record.log}:${record.of ?? record.seq}` },
      ...(record.backend !== undefined && { service: { name: textOf(record, 'backend') } }),
    },
    resources:
      record.target === undefined ? undefined : [{ name: textOf(record, 'target'), type: textOf(record, 'kind') }],
    src_endpoint: { uid: ident ?? 'unknown', ...(record.via !== undefined && { svc_name: textOf(record, 'via') }) },
    metadata: {
      version: '1.3.0',
      uid: `sha256:${hash}`,
      sequence: numberOf(record, 'seq'),
      log_name: textOf(record, 'log'),
      log_provider: PRODUCT,
      product: { name: PRODUCT, vendor_name: VENDOR, version },
      profiles: ['security_control'],
    },
    unmapped,
  });
};
