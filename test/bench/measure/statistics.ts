/** The middle of several values, or between the middle two; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2;
}

/** The value below which `share` of the sorted values lie; NaN of none. @param share 0 to 1 */
export function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** A growing count over time: `at` in milliseconds, in order. */
export interface CountSample {
  readonly at: number;
  readonly count: number;
}

/** When the count reached `wanted`, between samples by a straight line; NaN when it never did. */
export function reachedAt(samples: readonly CountSample[], wanted: number): number {
  const next = samples.findIndex(({ count }) => count >= wanted);
  const after = samples[next];
  const before = samples[next - 1];
  if (after === undefined) return Number.NaN;
  if (before === undefined) return after.at;
  return before.at + ((wanted - before.count) / (after.count - before.count)) * (after.at - before.at);
}
