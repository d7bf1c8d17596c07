import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { YOUNG_BYTES } from '../src/young-generation.ts';

const run = promisify(execFile);

test('under load the young generation of a serving program grows to its bound, and one step beyond at most', async () => {
  const free = await grownTo('');
  const held = await grownTo('holdYoungGeneration();');
  assert.ok(free > 2 * YOUNG_BYTES, `left alone it grows to ${free}`);
  assert.ok(held >= YOUNG_BYTES && held <= 2 * YOUNG_BYTES, `held it grows to ${held}`);
});

/** Bytes after a load that keeps a tenth of what it makes for a while. */
async function grownTo(first: string): Promise<number> {
  const module = new URL('../src/young-generation.ts', import.meta.url).href;
  const program = `
    import { holdYoungGeneration, youngBytes } from ${JSON.stringify(module)};
    ${first}
    let kept = [];
    for (let turn = 0; turn < 2000; turn++) {
      for (let made = 0; made < 1000; made++) {
        const one = { values: new Array(20).fill(made), text: 'x' + made };
        if (made % 10 === 0) kept.push(one);
      }
      if (kept.length > 20000) kept = kept.slice(10000);
      await new Promise(setImmediate);
    }
    process.stdout.write(String(youngBytes()));`;
  const { stdout } = await run(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program]);
  return Number(stdout);
}
