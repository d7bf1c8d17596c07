// Exchanges between real clients and a real OpenZiti 1.6.0 router, frame by frame. A few lie in fixtures/channels.jsonl; all of
// them are read where the whole recordings are (ZITI_TRACES_DIR).

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface RecordedFrame {
  readonly kind: 'frame';
  /** One TLS connection: `dialer`, `host`, … */
  readonly channel: string;
  readonly direction: 'from-client' | 'to-client';
  readonly type: number;
  readonly sequence: number;
  readonly headers: ReadonlyMap<number, Buffer>;
  readonly body: Buffer;
}

export type Step =
  | RecordedFrame
  | { readonly kind: 'closed'; readonly channel: string }
  | { readonly kind: 'note'; readonly note: string };

export interface Recording {
  readonly name: string;
  readonly service: string;
  readonly encrypted: boolean;
  /** Tokens of service sessions by their type, as far as the recording names them. */
  readonly named: ReadonlyMap<string, 'Dial' | 'Bind'>;
  readonly steps: readonly Step[];
}

/** The services of the recorded network. */
const PLAIN_SERVICE = '5m6Jba1FzXckbsUqGdqG8q';
const ENCRYPTED_SERVICE = '3AUkfyJke5ypzBw4TAL1uH';

const fixture = join(import.meta.dirname, '..', '..', 'fixtures', 'channels.jsonl');
const folder =
  process.env.ZITI_TRACES_DIR ?? fileURLToPath(new URL('../../../../../../shared/ziti-traces', import.meta.url));

/** Recordings with frames, those of the whole set when they are on this machine. */
export function recordings(): Recording[] {
  const texts = existsSync(folder)
    ? readdirSync(folder)
        .filter((file) => file.endsWith('.jsonl'))
        .map((file) => readFileSync(join(folder, file), 'utf8'))
    : readFileSync(fixture, 'utf8').split(/(?=^\{"kind":"meta")/m);
  return texts.map(parse).filter(({ steps }) => steps.some(({ kind }) => kind === 'frame'));
}

type Line = Readonly<Record<string, unknown>>;

function parse(text: string): Recording {
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  const named = new Map<string, 'Dial' | 'Bind'>();
  let service = '';
  for (const line of lines) {
    if (typeof line.dialSessionToken === 'string') named.set(line.dialSessionToken, 'Dial');
    if (typeof line.bindSessionToken === 'string') named.set(line.bindSessionToken, 'Bind');
    service ||= (line.service as { id?: string } | undefined)?.id ?? '';
    if (line.kind === 'rest' && String(line.path).endsWith('/sessions') && line.status === 201) {
      const { data } = line.responseBody as { data: { token: string; type: 'Dial' | 'Bind'; serviceId: string } };
      named.set(data.token, data.type);
      service ||= data.serviceId;
    }
  }
  service ||= ENCRYPTED_SERVICE;
  const name = String(lines[0]?.scenario);
  return { name, service, encrypted: service !== PLAIN_SERVICE, named, steps: lines.flatMap(stepOf) };
}

function stepOf(line: Line): Step[] {
  if (line.kind === 'note') return [{ kind: 'note', note: String(line.note).trim() }];
  if (line.kind === 'tcp-closed') return [{ kind: 'closed', channel: String(line.ch) }];
  if (line.kind !== 'frame') return [];
  const headers = Object.entries(line.headers as Record<string, string>);
  return [
    {
      kind: 'frame',
      channel: String(line.ch),
      direction: line.dir === 'c>r' ? 'from-client' : 'to-client',
      type: Number(line.contentType),
      sequence: Number(line.seq),
      headers: new Map(headers.map(([key, hex]) => [Number(key), Buffer.from(hex, 'hex')])),
      body: bodyOf(line),
    },
  ];
}

/** Of long bodies length and hash were kept; any bytes that follow from the hash are as good for a router. */
function bodyOf(line: Line): Buffer {
  if (line.bodyLen === undefined) return Buffer.from(String(line.body ?? ''), 'hex');
  const seed = createHash('sha512').update(String(line.bodySha256)).digest();
  return Buffer.alloc(Number(line.bodyLen), seed);
}
