// A configuration file from disk. Every way in which a path can be no file ends in the same ConfigError as a bad key.

import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ConfigError, type ConfigNote, openReport, type Report, WHOLE_FILE } from './errors.ts';
import { type ParsedConfig, type ParseOptions, parseGatewayConfig } from './parse.ts';
import { decodeSource, MAX_FILE_BYTES } from './source.ts';
import { type Changer, changeableBy } from './tamper.ts';

export async function loadGatewayConfig(path: string, around: Omit<ParseOptions, 'file'>): Promise<ParsedConfig> {
  const read = await readConfigText(path, around.cwd);
  const { config, notes } = parseGatewayConfig(read.text, { ...around, file: path });
  return { config: { ...config, digest: read.digest }, notes: [...read.notes, ...notes] };
}

export interface ConfigText {
  readonly text: string;
  /** `sha256:<hex>` of the very bytes that were read. */
  readonly digest: string;
  /** Who else may change it. */
  readonly notes: readonly ConfigNote[];
}

/** Of any file of ours. */
export async function readConfigText(path: string, cwd: string): Promise<ConfigText> {
  const report = openReport(path);
  const bytes = await readBytes(path, cwd, report);
  const text = decodeSource(bytes, report);
  report.end();
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  return { text: text ?? '', digest, notes: report.notes() };
}

function judgeChanger(changer: Changer | undefined, path: string, report: Report): void {
  switch (changer) {
    case 'everybody':
      report.problem(
        WHOLE_FILE,
        'everybody on this machine may change it, and with it what is run',
        `chmod o-w ${path}`,
      );
      return;
    case 'group':
      report.note(WHOLE_FILE, 'unsafe', `its group may change it, and with it what is run; chmod g-w ${path}`);
      return;
    case 'owner':
      report.note(WHOLE_FILE, 'unsafe', 'it belongs to another user, who may change what is run');
  }
}

const READ_FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ENOTDIR: 'no such file',
  EISDIR: 'expected a file (got a folder)',
  EACCES: 'not allowed to read it',
  EPERM: 'not allowed to read it',
  ELOOP: 'its symbolic links go round in a circle',
  ENAMETOOLONG: 'the name is too long',
  ERR_INVALID_ARG_VALUE: 'no such file',
};

/** At most one byte more than a file may have: a device or a pipe can be endless. */
export async function readBytes(path: string, cwd: string, report: Report): Promise<Uint8Array> {
  try {
    await using handle = await open(resolve(cwd, path), 'r');
    judgeChanger(changeableBy(await handle.stat()), path, report);
    const chunks: Uint8Array[] = [];
    let length = 0;
    while (length <= MAX_FILE_BYTES) {
      const { bytesRead, buffer } = await handle.read({ buffer: Buffer.alloc(64 * 1024) });
      if (bytesRead === 0) break;
      chunks.push(buffer.subarray(0, bytesRead));
      length += bytesRead;
    }
    return Buffer.concat(chunks);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const expected = READ_FAULTS[code] ?? `cannot be read (${code})`;
    throw new ConfigError(path, [{ ...WHOLE_FILE, expected, text: `${path}: ${expected}` }], { cause: error });
  }
}
