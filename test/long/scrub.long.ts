// T18, timed: for every shipped pattern, twice the worst text takes at most three times as long, by the fastest of several
// runs each. What `npm test` counts (packages/gateway/test/scrub/linear.test.ts), measured.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shippedPatterns } from '../../packages/gateway/src/scrub/pattern-files.ts';
import { Rulebook } from '../../packages/gateway/src/scrub/rulebook.ts';
import { newContext, Scanner } from '../../packages/gateway/src/scrub/scan.ts';
import { worstCases } from '../../packages/gateway/test/scrub/worst-cases.ts';

const CHARS = 16 * 1024;
const RUNS = 3;
/** Below it a clock says nothing. */
const MEASURABLE_MS = 1;
const MAX_RATIO = 3;

for (const spec of shippedPatterns()) {
  test(`T18: ${spec.id}: twice the worst text takes less than three times as long`, (t) => {
    const scanner = new Scanner(new Rulebook([spec], () => false), undefined);
    const fastest = (text: string): number => {
      let best = Number.POSITIVE_INFINITY;
      for (let run = 0; run < RUNS; run += 1) {
        const since = performance.now();
        scanner.scan(text, newContext(spec.surfaces?.[0] ?? 'text'));
        best = Math.min(best, performance.now() - since);
      }
      return best;
    };
    let worst = 0;
    for (const unit of worstCases(spec.re2, spec.literals, 2)) {
      const text = unit.repeat(Math.ceil(CHARS / unit.length)).slice(0, CHARS);
      const once = fastest(text);
      const twice = fastest(text + text);
      worst = Math.max(worst, once);
      if (once < MEASURABLE_MS) continue;
      // Asked again before it is believed: other work on the machine falls on either side.
      const ratio = Math.min(twice / once, fastest(text + text) / fastest(text));
      assert.ok(ratio < MAX_RATIO, `${ratio.toFixed(2)} for ${JSON.stringify(unit.slice(0, 80))}`);
    }
    t.diagnostic(`worst ${worst.toFixed(2)} ms for ${CHARS / 1024} KiB`);
  });
}
