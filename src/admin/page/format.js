/** How figures are written. What is not known is a dash, never a zero. */

export const UNKNOWN = '–';

/**
 * @param {number | null} seconds
 * @returns {string} two units at most: `0 s`, `12.4 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`
 */
export function duration(seconds) {
  if (seconds === null) return UNKNOWN;
  if (seconds > 0 && seconds < 0.95) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 10) return `${trimmed(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return two(Math.floor(whole / 60), 'min', whole % 60, 's');
  if (whole < 86_400) return two(Math.floor(whole / 3600), 'h', Math.floor((whole % 3600) / 60), 'min');
  return two(Math.floor(whole / 86_400), 'd', Math.floor((whole % 86_400) / 3600), 'h');
}

/**
 * @param {number} large
 * @param {string} largeUnit
 * @param {number} small
 * @param {string} smallUnit
 */
function two(large, largeUnit, small, smallUnit) {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** @param {number} value */
function trimmed(value) {
  return value.toFixed(1).replace(/\.0$/, '');
}

/**
 * @param {number | null} value
 * @returns {string} `1,234`, and `123k`, `4.56M` beyond 99,999
 */
export function count(value) {
  if (value === null) return UNKNOWN;
  if (value < 10 && !Number.isInteger(value)) return trimmed(value);
  if (value < 100_000) return Math.round(value).toLocaleString('en');
  return value < 1e6 ? `${(value / 1e3).toFixed(0)}k` : `${(value / 1e6).toFixed(2)}M`;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** @param {number | null} value */
export function bytes(value) {
  if (value === null) return UNKNOWN;
  let at = 0;
  let rest = value;
  for (; rest >= 1024 && at < UNITS.length - 1; at++) rest /= 1024;
  return `${rest >= 100 || at === 0 ? Math.round(rest) : trimmed(rest)} ${UNITS[at]}`;
}

/**
 * @param {string | number | null} at
 * @returns {string} the time of day here, with the date where it is another day
 */
export function time(at) {
  if (at === null) return UNKNOWN;
  const date = new Date(at);
  const clock = date.toLocaleTimeString('en-GB');
  return date.toDateString() === new Date().toDateString() ? clock : `${date.toLocaleDateString('en-CA')} ${clock}`;
}

/**
 * @param {string | null} since ISO 8601
 * @param {number} now milliseconds since 1970 by the same clock
 * @returns {string} to the second for a minute, then to the minute: so that it need not be drawn every second
 */
export function ago(since, now) {
  if (since === null) return UNKNOWN;
  const seconds = Math.max(0, Math.floor((now - Date.parse(since)) / 1000));
  return duration(seconds < 60 || seconds >= 3600 ? seconds : seconds - (seconds % 60));
}
