// Every *.txt beside this file is played against the built programs and must come out word for word; and whatever a
// program says has the voice of the house. TRANSCRIPTS=write writes what came instead: read the difference before you keep it.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Play } from './play.ts';
import { readTranscript, type Step, writeStep } from './transcript.ts';

const folder = import.meta.dirname;
const files = readdirSync(folder).filter((name) => name.endsWith('.txt'));
const writes = process.env.TRANSCRIPTS === 'write';

describe('transcripts', { concurrency: 2 }, () => {
  for (const name of files) {
    test(name, async () => {
      const path = join(folder, name);
      const text = readFileSync(path, 'utf8');
      await using play = await Play.open();
      const seen = new Map<number, Step>();
      for (const step of readTranscript(text)) {
        const came = await play.play(step);
        seen.set(step.line, came);
        if (!writes) assert.equal(writeStep(came), writeStep(step), `${name}:${step.line}`);
        checkVoice(came, `${name}:${step.line}`);
      }
      if (writes) writeFileSync(path, rewritten(text, seen));
    });
  }
});

/** stdout: JSON, a table or help, never a sentence. stderr: lower-case, no final period, who speaks, hints indented. */
function checkVoice({ stderr, stdout, code, kind, words }: Step, where: string): void {
  if (kind === 'file') return;
  for (const line of stderr ?? []) {
    assert.match(
      line,
      /^(?:mcp-(?:gateway|bridge|tools): [^A-Z]| {2}\S|\S+:\d+:\d+: |\S+\.\w+: )/,
      `${where}: ${line}`,
    );
    assert.doesNotMatch(line, /\.$/, `${where}: ${line}`);
  }
  if (code === 2) assert.deepEqual(stdout, [], `${where}: wrong use says nothing on stdout`);
  if (code === 2 && !words.includes('--help')) assert.notEqual(stderr?.length, 0, `${where}: wrong use says why`);
}

/** The remarks of the file, with the steps as they came. */
function rewritten(text: string, seen: ReadonlyMap<number, Step>): string {
  const lines = text.split('\n');
  const out: string[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const step = seen.get(at + 1);
    if (step === undefined) {
      out.push(lines[at] ?? '');
      continue;
    }
    out.push(writeStep(step));
    while (at + 1 < lines.length && /^[<>!= ]/.test(lines[at + 1] ?? '')) at += 1;
  }
  return out.join('\n');
}
