// T18, timed: for every shipped pattern, twice the worst text takes at most three times as long, by the fastest of several
// runs each, in time of this process: what else the machine does is not counted. What `npm test` counts
// (packages/gateway/test/scrub/linear.test.ts), measured.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shippedPatterns } from '../../packages/gateway/src/scrub/pattern-files.ts';
import { Rulebook } from '../../packages/gateway/src/scrub/rulebook.ts';
import { newContext, Scanner } from '../../packages/gateway/src/scrub/scan.ts';
import { worstCases } from '../../packages/gateway/test/scrub/worst-cases.ts';

const CHARS = 16 * 1024;
const RUNS = 4;
/** Compiling, by us and by the machine, is no cost of the text. */
const WARM_RUNS = 6;
/** Below it a clock says nothing. */
const MEASURABLE_MS = 1;
const MAX_RATIO = 3;
/** Of one pattern alone, for one text of that size: some µs a character at most. */
const MAX_MS = 200;

for (const spec of shippedPatterns()) {
  test(`T18: ${spec.id}: twice the worst text takes less than three times as long`, (t) => {
    const scanner = new Scanner(new Rulebook([spec], () => false), undefined);
    const cpuMs = (text: string): number => {
      const before = process.cpuUsage();
      scanner.scan(text, newContext(spec.surfaces?.[0] ?? 'text'));
      // Together: the kernel divides them by guess.
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    };
    const fastest = (text: string): number => Math.min(...Array.from({ length: RUNS }, () => cpuMs(text)));
    const units = worstCases(spec.re2, spec.literals, 2);
    const long = (unit: string, chars: number): string => unit.repeat(Math.ceil(chars / unit.length)).slice(0, chars);
    for (let run = 0; run < WARM_RUNS; run += 1) for (const unit of units) cpuMs(long(unit, CHARS / 4));
    let worst = 0;
    for (const unit of units) {
      const text = long(unit, CHARS);
      const once = fastest(text);
      worst = Math.max(worst, once);
      if (once < MEASURABLE_MS) continue;
      // Asked again before it is believed: compiling goes on in threads of the same process.
      const ratio = Math.min(fastest(text + text) / once, fastest(text + text) / fastest(text));
      assert.ok(ratio < MAX_RATIO, `${ratio.toFixed(2)} for ${JSON.stringify(unit.slice(0, 80))}`);
    }
    t.diagnostic(`worst ${worst.toFixed(2)} ms for ${CHARS / 1024} KiB`);
    assert.ok(worst < MAX_MS, `${worst.toFixed(1)} ms for ${CHARS / 1024} KiB`);
  });
}
