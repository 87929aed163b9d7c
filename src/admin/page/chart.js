import { redraw, s } from './dom.js';

/** @typedef {import('../../observe/history.ts').HistoryPoint} HistoryPoint */

const HOUR_MS = 3_600_000;
/** Looks come every five seconds, and may take four: a longer pause is one in which nothing was known. */
const GAP_MS = 15_000;
const WIDTH = 3600;
const HEIGHT = 100;
/** So that the line of the largest value is not cut. */
const TOP = 4;

/**
 * One figure over the last hour.
 *
 * @typedef {object} Series
 * @property {readonly HistoryPoint[]} points the oldest first
 * @property {(point: HistoryPoint) => number | null} pick null: not known then
 * @property {number} now where the hour ends, in milliseconds since 1970
 * @property {number | null} cursor the time that is pointed at
 */

/**
 * The largest value of the hour; null when none is known.
 *
 * @param {Series} series
 * @returns {number | null}
 */
export function largest({ points, pick }) {
  let most = null;
  for (const point of points) {
    const value = pick(point);
    if (value !== null && (most === null || value > most)) most = value;
  }
  return most;
}

/**
 * The last point at a time or before, unless nothing was looked at then.
 *
 * @param {readonly HistoryPoint[]} points
 * @param {number} at
 * @returns {HistoryPoint | undefined}
 */
export function pointAt(points, at) {
  const point = points.findLast((each) => each.at <= at) ?? points[0];
  return point !== undefined && Math.abs(at - point.at) <= GAP_MS ? point : undefined;
}

/**
 * The time under the pointer.
 *
 * @param {Element} plot
 * @param {PointerEvent} event
 * @param {number} now
 */
export function timeUnder(plot, event, now) {
  const { left, width } = plot.getBoundingClientRect();
  const share = Math.min(1, Math.max(0, (event.clientX - left) / width));
  return now - (1 - share) * HOUR_MS;
}

/**
 * Draws a series: its line, the times in which it was not known, and the cursor.
 *
 * @param {Element} svg
 * @param {Series} series
 * @returns {boolean} whether there are times in which it was not known
 */
export function drawChart(svg, series) {
  const { points, pick, now, cursor } = series;
  const x = (/** @type {number} */ at) => Math.round(WIDTH - ((now - at) / HOUR_MS) * WIDTH);
  const top = largest(series) || 1;
  const y = (/** @type {number} */ value) => (HEIGHT - (value / top) * (HEIGHT - TOP)).toFixed(1);
  const runs = knownRuns(points, pick);
  const lines = runs.map((run) => run.map(({ at, value }) => `${x(at)},${y(value)}`));
  const first = points[0];
  const unknown = first === undefined ? [] : unknownSpans(runs, first.at, now);
  redraw(svg, [lines, unknown.map(([from, to]) => [x(from), x(to)]), cursor && x(cursor)], () => [
    ...unknown.map(([from, to]) =>
      s('rect', { class: 'unknown', x: x(from), width: x(to) - x(from), y: 0, height: HEIGHT }),
    ),
    ...runs.flatMap((run, index) => {
      const line = (lines[index] ?? []).join(' ');
      const [from, to] = [x(run[0]?.at ?? now), x(run.at(-1)?.at ?? now)];
      return [
        s('polygon', { class: 'area', points: `${from},${HEIGHT} ${line} ${to},${HEIGHT}` }),
        // a single look has no length: it is drawn as wide as the pause to the next
        s('polyline', {
          class: 'line',
          points: run.length > 1 ? line : `${line} ${from + 5},${y(run[0]?.value ?? 0)}`,
        }),
      ];
    }),
    cursor !== null && s('line', { class: 'cursor', x1: x(cursor), x2: x(cursor), y1: 0, y2: HEIGHT }),
  ]);
  return unknown.length > 0;
}

/** An empty chart. */
export function newChart() {
  return s('svg', {
    class: 'chart',
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: 'none',
    'aria-hidden': 'true',
  });
}

/**
 * The stretches in which the value is known.
 *
 * @param {readonly HistoryPoint[]} points
 * @param {Series['pick']} pick
 */
function knownRuns(points, pick) {
  /** @type {{ at: number, value: number }[][]} */
  const runs = [];
  let before = -Infinity;
  for (const point of points) {
    const value = pick(point);
    if (value === null) before = -Infinity;
    else {
      if (point.at - before > GAP_MS) runs.push([]);
      runs.at(-1)?.push({ at: point.at, value });
      before = point.at;
    }
  }
  return runs;
}

/**
 * The stretches between them, and after the last.
 *
 * @param {readonly (readonly { at: number }[])[]} runs
 * @param {number} from
 * @param {number} now
 * @returns {[from: number, to: number][]}
 */
function unknownSpans(runs, from, now) {
  /** @type {[number, number][]} */
  const spans = [];
  let known = from;
  for (const run of runs) {
    const begins = run[0]?.at ?? known;
    if (begins > known) spans.push([known, begins]);
    known = run.at(-1)?.at ?? known;
  }
  if (now - known > GAP_MS) spans.push([known, now]);
  return spans;
}
