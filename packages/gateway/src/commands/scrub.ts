// `mcp-gateway scrub test [FILE|-]`: what scrubbing would find in a text, with the rules of a configuration or the shipped
// ones. Found text is shown escaped; a text that rules miss is not thereby harmless.

import { readFile } from 'node:fs/promises';
import { type Command, displaySafe, EXIT, type Flags, printJson, printTable, UsageError } from '@mcp-overlay/cli';
import { SCRUB_SURFACES, type ScrubSurface } from '@mcp-overlay/config';
import { loadConfig } from './load-config.ts';

/** Of a text, and of what is shown of a finding. */
const MAX_BYTES = 16 * 1024 * 1024;
const MAX_SHOWN = 60;

export const scrubCommand: Command = {
  usage: 'scrub <what> [file]',
  describe: 'test: what would be found in a text (visibility, not a boundary)',
  positionals: {
    what: { choices: ['test'], describe: 'test a text' },
    file: { type: 'string', describe: 'a file; - or left out: stdin' },
  },
  options: {
    config: { type: 'string', describe: 'configuration whose patterns and modes apply' },
    surface: { choices: SCRUB_SURFACES, default: 'text', describe: 'where the text would stand' },
    json: { type: 'boolean', describe: 'for programs' },
  },
  examples: [['curl -s https://example.com | $0 scrub test', 'before an agent reads it']],
  run: async (flags: Flags) => {
    const { loadOwnPatterns, shippedPatterns } = await import('../scrub/pattern-files.ts');
    const { Scrubber } = await import('../scrub/scrubber.ts');
    const config = typeof flags.config === 'string' ? await loadConfig(flags.config) : undefined;
    const surface = flags.surface as ScrubSurface;
    const text = await read(typeof flags.file === 'string' ? flags.file : '');
    const own = await loadOwnPatterns(config?.scrub?.patterns ?? [], process.cwd());
    const scrubber = new Scrubber({
      config: config?.scrub,
      backends: config?.backends ?? [],
      specs: [...shippedPatterns(), ...own],
    });
    const { texts, partly } = scrubber.lookPatiently(text, surface);
    const rows = texts.flatMap(({ findings }) =>
      findings.flatMap(({ rule, start, end, via }) => {
        const info = scrubber.rule(rule);
        const mode = info && scrubber.modes.for('').of(info);
        if (!info || mode === 'off') return [];
        return [{ rule, severity: info.severity, mode, start, end, ...(via === undefined ? {} : { via }) }];
      }),
    );
    await scrubber.close();
    if (flags.json === true) printJson({ found: rows, partly });
    else show(rows, text, partly);
    return rows.length > 0 ? EXIT.failed : EXIT.done;
  },
};

interface Row {
  readonly rule: string;
  readonly severity: string;
  readonly mode: string | undefined;
  readonly start: number;
  readonly end: number;
  readonly via?: string;
}

function show(rows: readonly Row[], text: string, partly: boolean): void {
  if (rows.length === 0) {
    process.stdout.write('nothing found; that says what these rules know, not that the text is harmless\n');
  } else {
    printTable(
      ['rule', 'severity', 'mode', 'line', 'encoded', 'found'],
      rows.map(({ rule, severity, mode, start, end, via }) => {
        const found = text.slice(start, Math.min(end, start + MAX_SHOWN));
        const line = String(text.slice(0, start).split('\n').length);
        return [rule, severity, mode ?? '', line, via ?? '', displaySafe(found) + (end - start > MAX_SHOWN ? '…' : '')];
      }),
    );
  }
  if (partly) process.stdout.write('the text was looked through only in part\n');
}

async function read(file: string): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    // A lone dash arrives as nothing.
    if (file !== '' && file !== '-') {
      const bytes = await readFile(file);
      if (bytes.length > MAX_BYTES) throw new UsageError(`${file} is too long`, `at most ${MAX_BYTES} bytes`);
      return bytes.toString('utf8');
    }
    for await (const chunk of process.stdin) {
      chunks.push(chunk as Buffer);
      length += (chunk as Buffer).length;
      if (length > MAX_BYTES) throw new UsageError('the text is too long', `at most ${MAX_BYTES} bytes`);
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  return Buffer.concat(chunks).toString('utf8');
}
