// A receipt: where the gateway's audit log recorded a call of ours. Read from answers that pass by; one without a receipt
// costs a search for its bytes. A gateway may name any log, so what is read is capped and of known form.

import { type Message, payloadOf, resultMetaOf } from '@mcp-overlay/relay';

export interface Receipt {
  readonly log: string;
  readonly seq: number;
  /** `sha256:<hex>` of the record's line. */
  readonly hash: string;
}

const META_KEY = 'mcp-overlay/audit';
const ERROR_MEMBER = Buffer.from('"audit":{');
/** Errors of a gateway are small; a larger one is a server's own. */
const MAX_ERROR_BYTES = 64 * 1024;

export function receiptIn(answer: Message): Receipt | undefined {
  const text = resultMetaOf(answer, META_KEY) ?? inError(answer);
  return text === undefined ? undefined : readReceipt(text);
}

/** undefined: not of this form. */
export function readReceipt(text: string): Receipt | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { log, seq, hash } = (value ?? {}) as Record<string, unknown>;
  const known =
    typeof log === 'string' &&
    /^[\x21-\x7e]{1,64}$/.test(log) &&
    Number.isSafeInteger(seq) &&
    (seq as number) >= 0 &&
    typeof hash === 'string' &&
    /^sha256:[0-9a-f]{64}$/.test(hash);
  return known ? { log, seq: seq as number, hash } : undefined;
}

/** In an error of the gateway's own it stands in `data.audit`. */
function inError({ bytes, ...answer }: Message): string | undefined {
  if (bytes.length > MAX_ERROR_BYTES || !bytes.includes(ERROR_MEMBER)) return undefined;
  const error = payloadOf({ bytes, ...answer }, 'error');
  if (!error) return undefined;
  const { data } = JSON.parse(error.toString('utf8')) as { data?: { audit?: unknown } | null };
  return JSON.stringify(data?.audit);
}
