import { drawChart, largest, newChart, pointAt, timeUnder } from './chart.js';
import { h, setText } from './dom.js';
import { bytes, count, duration, time, UNKNOWN } from './format.js';

/**
 * @typedef {import('../../core/status.ts').StatusReport} StatusReport
 * @typedef {import('../../observe/history.ts').HistoryPoint} HistoryPoint
 */

/** As the summary has it: an older look may no longer be so. */
export const STALE_SECONDS = 20;
const STEP_MS = 5_000;
const HOUR_MS = 3_600_000;
/** Seconds before now; the keys move it, a reader hears the moment and its value. */
const SLIDER = { 'aria-valuemin': -3600, 'aria-valuemax': 0, 'aria-valuenow': 0 };

/**
 * One key figure.
 *
 * @typedef {object} Figure
 * @property {string} name
 * @property {string} label
 * @property {(report: StatusReport, age: number | null) => readonly [value: string, note: string]} tell `age`: of the
 *   last look, in seconds
 * @property {((point: HistoryPoint) => number | null) | null} pick its value in the history; null: it has none
 * @property {(value: number | null) => string} format
 */

/** @type {readonly Figure[]} */
const FIGURES = [
  {
    name: 'lag',
    label: 'Oldest unpublished row',
    tell: tellLag,
    pick: ({ lagSeconds }) => lagSeconds,
    format: duration,
  },
  { name: 'waiting', label: 'Rows waiting', tell: tellWaiting, pick: ({ waitingRows }) => waitingRows, format: count },
  { name: 'rate', label: 'Published rows a second', tell: tellRate, pick: totalRate, format: count },
  {
    name: 'wal',
    label: 'Log retained by the slot',
    tell: tellWal,
    pick: ({ retainedBytes }) => retainedBytes,
    format: bytes,
  },
  { name: 'parked', label: 'Parked rows', tell: tellParked, pick: null, format: count },
];

/** The key figures, each over its last hour. A pointer over one of them, or the arrow keys, show a moment in all. */
export class Figures {
  /** @type {readonly HistoryPoint[]} */
  #points = [];
  #now = 0;
  /** @type {number | null} */
  #cursor = null;
  /** @type {Map<string, { value: Element, note: Element, most: Element, moment: Element, chart: SVGElement }>} */
  #parts = new Map();

  /** @param {HTMLElement} place */
  constructor(place) {
    place.append(...FIGURES.map((figure) => this.#build(figure)));
  }

  /**
   * @param {StatusReport} report
   * @param {readonly HistoryPoint[]} points
   * @param {number} now by the relay's clock
   * @param {number | null} lagAge of the last look at the lag, in seconds
   */
  draw(report, points, now, lagAge) {
    this.#points = points;
    this.#now = now;
    for (const { name, tell } of FIGURES) {
      const parts = this.#parts.get(name);
      const [value, note] = tell(report, lagAge);
      if (parts === undefined) continue;
      setText(parts.value, value);
      setText(parts.note, note);
    }
    this.#drawCharts();
  }

  #drawCharts() {
    const point = this.#cursor === null ? undefined : pointAt(this.#points, this.#cursor);
    for (const { name, pick, format } of FIGURES) {
      const parts = this.#parts.get(name);
      if (parts === undefined || pick === null) continue;
      const series = { points: this.#points, pick, now: this.#now, cursor: this.#cursor };
      const gaps = drawChart(parts.chart, series);
      setText(parts.most, `most ${format(largest(series))}${gaps && name === 'lag' ? ', shaded: not known' : ''}`);
      const moment = this.#cursor === null ? '' : `${time(this.#cursor)}: ${format(point ? pick(point) : null)}`;
      setText(parts.moment, moment);
      const plot = parts.chart.parentElement;
      if (plot?.role !== 'slider') continue;
      plot.ariaValueNow = String(Math.round(((this.#cursor ?? this.#now) - this.#now) / 1000));
      plot.ariaValueText = moment === '' ? 'now' : moment;
    }
  }

  /** @param {Figure} figure */
  #build({ name, label, pick }) {
    const value = h('dd', { class: 'value' }, UNKNOWN);
    const note = h('dd', { class: 'note' });
    const most = h('span', { class: 'most' });
    const moment = h('span', { class: 'moment' });
    const chart = newChart();
    this.#parts.set(name, { value, note, most, moment, chart });
    const list = h('dl', {}, h('dt', { class: 'label' }, label), value, note);
    if (pick === null) return h('div', { class: `figure figure-${name}` }, list);
    const plot = this.#plot(name, label, chart);
    const axis = h('div', { class: 'axis' }, h('span', {}, '1 h ago'), most, h('span', {}, 'now'));
    return h('div', { class: `figure figure-${name}` }, list, moment, plot, axis);
  }

  /**
   * @param {string} name
   * @param {string} label
   * @param {SVGElement} chart
   */
  #plot(name, label, chart) {
    const keys =
      name === 'lag'
        ? { tabindex: 0, role: 'slider', 'aria-label': `${label}: moment of the last hour`, ...SLIDER }
        : { 'aria-hidden': 'true' };
    /** @type {HTMLElement} */
    const plot = h('div', { class: 'plot', ...keys }, chart);
    plot.addEventListener('pointermove', (event) => this.#point(timeUnder(plot, event, this.#now)));
    plot.addEventListener('pointerleave', () => this.#point(null));
    plot.addEventListener('blur', () => this.#point(null));
    plot.addEventListener('keydown', (event) => this.#step(event));
    return plot;
  }

  /** @param {KeyboardEvent} event */
  #step(event) {
    const from = this.#cursor ?? this.#now;
    const large = event.shiftKey ? 12 : 1;
    /** @type {Readonly<Record<string, number | null>>} */
    const targets = {
      ArrowLeft: from - STEP_MS * large,
      ArrowRight: from + STEP_MS * large,
      Home: this.#points[0]?.at ?? from,
      End: this.#now,
      Escape: null,
    };
    const target = targets[event.key];
    if (target === undefined) return;
    event.preventDefault();
    this.#point(target === null ? null : Math.min(this.#now, Math.max(this.#now - HOUR_MS, target)));
  }

  /** @param {number | null} cursor */
  #point(cursor) {
    this.#cursor = cursor;
    this.#drawCharts();
  }
}

/** @type {Figure['tell']} */
function tellLag({ lag }, age) {
  if (lag === null || age === null) return [UNKNOWN, 'not measured yet'];
  const { oldestUnpublishedSeconds: oldest, waitingRows } = lag;
  if (age > STALE_SECONDS) return [UNKNOWN, `not known; was ${duration(oldest)}, ${duration(Math.floor(age))} ago`];
  return waitingRows === 0 ? ['0 s', 'no row waits'] : [duration(oldest), 'by the clock of the database'];
}

/** @type {Figure['tell']} */
function tellWaiting({ lag }, age) {
  if (lag === null || age === null || age > STALE_SECONDS) return [UNKNOWN, 'not known'];
  const rows = count(lag.waitingRows);
  return lag.waitingRowsEstimated
    ? [`about ${rows}`, 'estimated: too many to be counted']
    : [rows, 'neither published nor parked'];
}

/** @type {Figure['tell']} */
function tellRate({ role, destinations }) {
  if (role !== 'leader') return [UNKNOWN, 'only the leader publishes'];
  const known = destinations.flatMap(({ rowsPerSecond }) => (rowsPerSecond === null ? [] : [rowsPerSecond]));
  const total = destinations.reduce((sum, { publishedRows }) => sum + publishedRows, 0);
  const rate = known.length === 0 ? null : known.reduce((sum, each) => sum + each, 0);
  return [count(rate), `${count(total)} since the start`];
}

/** @type {Figure['tell']} */
function tellWal({ lag, role, walBudgetBytes }, age) {
  if (walBudgetBytes === null) return [UNKNOWN, 'no slot: capture.mode is polling'];
  if (role !== 'leader') return [UNKNOWN, 'only the leader has a slot'];
  if (lag === null || age === null || age > STALE_SECONDS) return [UNKNOWN, 'not known'];
  if (lag.slot === null) return ['none', 'there is no slot at the moment'];
  return [bytes(lag.slot.retainedBytes), `of ${bytes(walBudgetBytes)} allowed, ${lag.slot.walStatus}`];
}

/** @type {Figure['tell']} */
function tellParked({ lag, destinations }, age) {
  const marked = destinations.reduce((sum, { parkedRows }) => sum + parkedRows, 0);
  if (marked === 0 && (lag === null || age === null || age > STALE_SECONDS)) return [UNKNOWN, 'not known'];
  const rows = Math.max(marked, lag?.parkedRows ?? 0);
  return [count(rows), rows === 0 ? 'no key waits for one' : 'later rows of their keys wait'];
}

/** @type {NonNullable<Figure['pick']>} */
function totalRate({ rowsPerSecond }) {
  const rates = Object.values(rowsPerSecond);
  return rates.length === 0 ? null : rates.reduce((sum, rate) => sum + rate, 0);
}
