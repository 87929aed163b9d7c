/** How figures are written on a terminal, as on the status page. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `312 B`, `4.2 MiB` */
export function bytesText(value: number): string {
  let rest = value;
  let unit = 0;
  for (; rest >= 1024 && unit < UNITS.length - 1; unit++) rest /= 1024;
  return `${rest >= 100 || unit === 0 ? Math.round(rest) : rest.toFixed(1)} ${UNITS[unit] ?? ''}`;
}

/** `4 ms`, `12.4 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h` */
export function secondsText(seconds: number): string {
  if (seconds > 0 && seconds < 0.95) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 10) return `${seconds.toFixed(1).replace(/\.0$/, '')} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return two(whole, 60, 'min', 1, 's');
  if (whole < 86_400) return two(whole, 3600, 'h', 60, 'min');
  return two(whole, 86_400, 'd', 3600, 'h');
}

function two(seconds: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((seconds % large) / small);
  return `${Math.floor(seconds / large)} ${largeUnit}${rest === 0 ? '' : ` ${rest} ${smallUnit}`}`;
}
