// What stands in a log's folder before anything is added: whether it goes on, and from where. A torn end is cut off, and
// kept beside the log, never thrown away.

import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type ChainState, EMPTY_CHAIN } from './chain.ts';
import { timestamp } from './clock.ts';
import { AuditError } from './errors.ts';
import type { EvolvedKey } from './evolving.ts';
import { type AuditFile, type AuditFiles, writeAll } from './files.ts';
import { segmentsIn } from './folder.ts';
import type { KeyRing } from './keys.ts';
import { LineHash } from './line-hash.ts';
import { eachLine } from './lines.ts';
import { readHead, segmentName } from './record.ts';
import { type Fault, type Scanned, scanSegment } from './scan.ts';

export interface Recovered {
  readonly state: ChainState;
  /** Whose key the last record was under; undefined: there is none. */
  readonly kid: string | undefined;
  /** The last segment, if it is not sealed. */
  readonly open: Scanned | undefined;
  /** What was cut off. */
  readonly torn: readonly Torn[];
}

export interface Torn {
  readonly bytes: number;
  readonly sha256: string;
  /** Name of the file that they are kept in. */
  readonly kept: string;
}

export interface RecoverOptions {
  readonly folder: string;
  readonly log: string;
  readonly ring: KeyRing;
  readonly files: AuditFiles;
  readonly wall: () => number;
  /** Where the chain was when its key evolved: the segment before cannot be checked by us any more. */
  readonly evolved?: readonly EvolvedKey[];
}

/** Rejects `audit_broken` when something is wrong that no crash does, `audit_key_unknown` when nobody can say. */
export async function recover(options: RecoverOptions): Promise<Recovered> {
  const { folder, log, ring, files } = options;
  const torn: Torn[] = [];
  let begun = false;
  const segments = await segmentsIn(folder, files);
  for (let seg = segments.pop(); seg !== undefined; seg = segments.pop()) {
    const path = join(folder, segmentName(seg));
    const evolved = options.evolved?.find(({ before }) => before?.seg === seg);
    if (evolved?.before) {
      const kid = await checkSealed(path, evolved.before, options);
      return { state: evolved.before, kid, open: undefined, torn };
    }
    const file = await files.open(path);
    let scanned: Scanned | Fault | { readonly torn: number };
    try {
      scanned = await scanSegment(file, { log, seg, ring });
      if ('offset' in scanned) throw refusal(options, path, scanned);
      const from = 'bytes' in scanned ? scanned.bytes : 0;
      if (scanned.torn > 0) torn.unshift(await setAside(file, { seg, from }, options));
    } finally {
      await file.close();
    }
    if ('state' in scanned) {
      return { state: scanned.state, kid: scanned.kid, open: scanned.sealed ? undefined : scanned, torn };
    }
    // Begun, and the power went before its first record was whole. No crash leaves two of these.
    if (begun) throw refusal(options, path, { offset: 0, why: 'it has no record' });
    begun = true;
    await files.unlink(path);
    await files.syncFolder(folder);
  }
  return { state: EMPTY_CHAIN, kid: undefined, open: undefined, torn };
}

/** Its last line is the one that the chain went on from. Gives the id of its key. */
async function checkSealed(path: string, before: ChainState, options: RecoverOptions): Promise<string | undefined> {
  const file = await options.files.openToRead(path);
  const hash = new LineHash();
  let last: string | undefined;
  let kid: string | undefined;
  let end = 0;
  try {
    await eachLine(file, 0, ({ bytes, terminated, end: after }) => {
      last = terminated && hash.load(bytes) ? hash.hash() : undefined;
      kid = readHead(bytes)?.kid;
      end = after;
      return true;
    });
  } finally {
    await file.close();
  }
  if (last !== before.hash) throw refusal(options, path, { offset: end, why: 'it does not end as it did' });
  return kid;
}

async function setAside(
  file: AuditFile,
  { seg, from }: { readonly seg: number; readonly from: number },
  { folder, files, wall }: RecoverOptions,
): Promise<Torn> {
  const kept = `${segmentName(seg)}.torn-${timestamp(wall()).replaceAll(':', '')}-${randomBytes(3).toString('hex')}`;
  const aside = await files.create(join(folder, kept));
  const sha256 = createHash('sha256');
  let position = from;
  try {
    const buffer = Buffer.alloc(64 * 1024);
    for (let read = await file.read(buffer, position); read > 0; read = await file.read(buffer, position)) {
      sha256.update(buffer.subarray(0, read));
      await writeAll(aside, buffer.subarray(0, read), position - from);
      position += read;
    }
    await aside.sync();
  } finally {
    await aside.close();
  }
  await file.truncate(from);
  await file.sync();
  await files.syncFolder(folder);
  return { bytes: position - from, sha256: sha256.digest('hex'), kept };
}

function refusal({ log, folder }: RecoverOptions, path: string, { offset, why, kid }: Fault): AuditError {
  if (kid !== undefined) {
    return new AuditError(
      'audit_key_unknown',
      `${path}: the record at byte ${offset} is under key ${kid}, which is not known`,
      {
        hint: 'add the key that was in use before to audit.keys',
      },
    );
  }
  return new AuditError('audit_broken', `audit log ${log} was changed: ${path}, byte ${offset}: ${why}`, {
    hint: `look at it: mcp-gateway audit verify ${folder}; to begin another log beside it: mcp-gateway run --accept-broken`,
  });
}
