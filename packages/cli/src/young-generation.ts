// How much memory a serving program takes for what it is about to throw away. Left alone, V8 lets its young generation grow to
// 2 × 16 MB under load and keeps it; a gateway's calls need a quarter of that (docs/BENCHMARKS.md).

import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Both halves. */
export const YOUNG_BYTES = 8 * 1024 * 1024;

/** From then on it grows no further than this, and one step if it grew while nobody looked. The flag that caps its size is
 * read at the start of the process only; the one that says by how much it grows is read whenever it does. */
export function holdYoungGeneration(): void {
  const observer = new PerformanceObserver(() => {
    if (youngBytes() < YOUNG_BYTES) return;
    setFlagsFromString('--semi-space-growth-factor=1');
    observer.disconnect();
  });
  observer.observe({ entryTypes: ['gc'] });
}

export function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? 0;
}
