import { setTimeout as delay } from 'node:timers/promises';
import { type ProcessUsage, usageTogether } from './process-usage.ts';
import type { CountSample } from './statistics.ts';

/** One look at a run. */
export interface Sample extends CountSample, ProcessUsage {}

const INTERVAL_MS = 50;
/** A run in which nothing comes for so long has failed. */
const STALL_MS = 60_000;

/** What is watched. */
export interface Watched {
  readonly pids: readonly number[];
  /** Rejects when a process ends by itself. */
  readonly ended: Promise<never>;
  readonly count: () => Promise<number>;
}

/** Looks at count and process until `wanted` have come. @throws when nothing comes any more, or the process ends */
export async function watchUntil({ pids, ended, count }: Watched, wanted: number): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  let grewAt = performance.now();
  for (;;) {
    const [counted, usage] = await Promise.race([Promise.all([count(), usageTogether(pids)]), ended]);
    if (counted > (samples.at(-1)?.count ?? -1)) grewAt = performance.now();
    samples.push({ at: Date.now(), count: counted, ...usage });
    if (counted >= wanted) return samples;
    if (performance.now() - grewAt > STALL_MS)
      throw new Error(`${counted} of ${wanted} messages have come, and none for ${STALL_MS / 1000} seconds`);
    await delay(INTERVAL_MS);
  }
}

/** What a process had taken when it was last seen alive: one that ends when its work is done has no usage afterwards. */
export function lastUsage(looks: readonly ProcessUsage[]): ProcessUsage {
  const last = (figure: keyof ProcessUsage) =>
    looks.map((look) => look[figure]).findLast((value) => !Number.isNaN(value)) ?? Number.NaN;
  return { cpuMicros: last('cpuMicros'), peakRssMb: last('peakRssMb') };
}
