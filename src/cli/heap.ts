import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/**
 * How far the heap may grow beyond what lives in it before it is collected, in per cent. Left to itself V8 lets it grow to
 * about four times that, at no gain; much less than this is filled by new objects alone, and all of the heap is marked
 * again and again (docs/performance.md). Settable while a process runs, as Node's manual has it.
 */
const GROWTH_PERCENT = 100;
/**
 * What one half of the young generation may grow to, in bytes. V8's own limit is 16 MiB, which takes 20 MB more and
 * saves nothing: rows in flight fill a fraction of it.
 */
const YOUNG_BYTES = 8 * 1024 * 1024;
/** What of a half V8 keeps for itself, at most. */
const OVERHEAD = 0.05;

/**
 * Keeps this process' heap small, for a process that runs for long. To be called before it allocates much.
 *
 * The size of the young generation can only be given from outside (`--max-semi-space-size`); its growth can be ended
 * from inside, once it is as large as it should be.
 */
export function limitHeap(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
  const observer = new PerformanceObserver(() => {
    if (youngBytes() < YOUNG_BYTES * (1 - OVERHEAD)) return;
    setFlagsFromString('--semi-space-growth-factor=1');
    observer.disconnect();
  });
  observer.observe({ entryTypes: ['gc'] });
}

function youngBytes(): number {
  const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
  return space === undefined ? 0 : space.space_used_size + space.space_available_size;
}
