/** Durations and sizes as people write them: `250ms`, `16MiB`. A unit is always required, so that no number is read wrongly. */

const DURATION_UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const SIZE_UNITS = {
  B: 1,
  kB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  TB: 1000 ** 4,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
} as const;

/** What {@link parseDuration} accepts, as a regular expression for editors. */
export const DURATION_PATTERN = '^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$';

/** What {@link parseSize} accepts, as a regular expression for editors. */
export const SIZE_PATTERN = '^[0-9]+(\\.[0-9]+)?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)$';

/**
 * Parses `250ms`, `1.5s`, `10s`, `5m`, `2h`, `1d` to whole milliseconds.
 *
 * @returns null when the text has another form, or does not come to a whole number of milliseconds
 */
export function parseDuration(text: string): number | null {
  return parseQuantity(text, new RegExp(DURATION_PATTERN), DURATION_UNITS);
}

/**
 * Parses `512B`, `500kB`, `16MiB`, `1GiB` to whole bytes: kB, MB, GB, TB are powers of 1000, KiB, MiB, GiB, TiB of 1024.
 *
 * @returns null when the text has another form, or does not come to a whole number of bytes
 */
export function parseSize(text: string): number | null {
  return parseQuantity(text, new RegExp(SIZE_PATTERN), SIZE_UNITS);
}

/** Prints milliseconds in the largest unit that keeps them whole: 90000 is `90s`. */
export function formatDuration(ms: number): string {
  const unit = (['d', 'h', 'm', 's'] as const).find((name) => ms !== 0 && ms % DURATION_UNITS[name] === 0) ?? 'ms';
  return `${ms / DURATION_UNITS[unit]}${unit}`;
}

function parseQuantity(text: string, pattern: RegExp, units: Readonly<Record<string, number>>): number | null {
  if (!pattern.test(text)) return null;
  const unit = text.replace(/^[0-9.]+/, '');
  const value = Number(text.slice(0, -unit.length)) * (units[unit] ?? NaN);
  const whole = Math.round(value);
  return Math.abs(value - whole) < 1e-6 && Number.isSafeInteger(whole) ? whole : null;
}
