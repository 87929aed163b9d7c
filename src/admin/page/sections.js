/** What the page says of a report, section by section: each draws its place from the report alone. */
import { drawChart, newChart } from './chart.js';
import { byId, h, redraw, s, setText } from './dom.js';
import { ago, bytes, count, duration, time, UNKNOWN } from './format.js';

/**
 * @typedef {import('../../core/status.ts').StatusReport} StatusReport
 * @typedef {import('../../core/status.ts').DestinationStatus} DestinationStatus
 * @typedef {import('../../core/status.ts').StatusReason} StatusReason
 * @typedef {import('../../observe/history.ts').HistoryPoint} HistoryPoint
 */

/** Forms, so that colour is never all that tells. @type {Readonly<Record<string, string>>} */
const SIGNS = {
  ok: 'M4 8.4 6.9 11.3 12.2 5.2',
  working: 'M8 4.2V8.4L10.8 10.2',
  warning: 'M8 4V9.2M8 10.8V12.2',
  critical: 'M5 5 11 11M11 5 5 11',
  unknown: 'M6 6.2C6 3.6 10 3.8 10 6.2 10 7.8 8 7.8 8 9.4M8 11V12.2',
};

/** @param {string} severity */
function sign(severity) {
  return [s('circle', { cx: 8, cy: 8, r: 7.2 }), s('path', { d: SIGNS[severity] ?? SIGNS.unknown ?? '' })];
}

/**
 * The state: how urgent, what, why, and what to do.
 *
 * @param {StatusReport} report
 * @param {number} now by the relay's clock
 * @param {boolean} lost the relay does not answer any more
 */
export function drawState({ summary, role, roleSince, startedAt, instance, version }, now, lost) {
  const { severity, title, reasons } = summary;
  byId('state').dataset.severity = severity;
  redraw(byId('sign'), severity, () => sign(severity));
  setText(byId('title'), lost ? `Last known: ${title}` : title);
  const since = role === 'leader' || role === 'standby' ? ` since ${time(roleSince)} (${ago(roleSince, now)})` : '';
  setText(byId('role'), `${roleText(role)}${since}, running for ${ago(startedAt, now)}`);
  redraw(byId('reasons'), reasons, () => reasons.map((reason) => reasonItem(reason)));
  setText(byId('instance'), `${instance}, version ${version}`);
  if (lost) return;
  document.title = `${severity === 'ok' ? '' : `${severityWord(severity)}: `}${title} – outbox-relay`;
  byId('icon').setAttribute('href', `page/${severity}.svg`);
}

/** @param {StatusReason} reason */
function reasonItem({ severity, destination, text, code, remedy, since }) {
  return h(
    'li',
    { 'data-severity': severity },
    h('span', { class: 'word' }, severityWord(severity)),
    h(
      'div',
      {},
      h(
        'p',
        {},
        destination === null ? null : h('strong', {}, `${destination} `),
        text,
        code === null ? null : h('code', {}, code),
      ),
      remedy === null ? null : h('p', { class: 'remedy' }, `To do: ${remedy}`),
      since === null ? null : h('p', { class: 'faint' }, `since ${time(since)}`),
    ),
  );
}

/** @param {string} severity */
function severityWord(severity) {
  return { ok: 'OK', working: 'Working', warning: 'Warning', critical: 'Critical' }[severity] ?? 'Unknown';
}

/** No state is known. */
export function drawUnknown() {
  byId('state').dataset.severity = 'unknown';
  redraw(byId('sign'), 'unknown', () => sign('unknown'));
}

/** @param {StatusReport['role']} role */
function roleText(role) {
  return { starting: 'Starting', standby: 'Standby', leader: 'Leader', stopping: 'Stopping' }[role];
}

/**
 * @param {StatusReport} report
 * @param {readonly HistoryPoint[]} points
 * @param {number} now
 */
export function drawDestinations({ destinations, role, lag }, points, now) {
  const place = byId('destinations');
  const shown = destinations.map(({ publishedRows, ...rest }) => [rest, publishedRows, ago(rest.since, now)]);
  redraw(place, [shown, role, lag?.destinations], () => {
    if (destinations.length === 0)
      return [
        h(
          'p',
          { class: 'empty' },
          role === 'standby' ? 'The leader publishes; it tells of its destinations.' : 'None yet.',
        ),
      ];
    return [destinationTable(destinations, lag, now)];
  });
  for (const chart of place.querySelectorAll('svg[data-of]')) {
    const name = chart.getAttribute('data-of') ?? '';
    drawChart(chart, { points, pick: ({ rowsPerSecond }) => rowsPerSecond[name] ?? null, now, cursor: null });
  }
}

const DESTINATION_HEADINGS = [
  'Destination',
  'State',
  'Circuit breaker',
  'Oldest waiting',
  'Rows a second, last hour',
  'In flight',
  'To be deleted',
  'Parked',
];

/**
 * @param {readonly DestinationStatus[]} destinations
 * @param {StatusReport['lag']} lag
 * @param {number} now
 */
function destinationTable(destinations, lag, now) {
  const rows = destinations.map((one) => {
    const { name, state, circuit, since, inFlightMessages, inFlightBytes } = one;
    const chart = newChart();
    chart.setAttribute('data-of', name);
    const standing = h('span', { class: 'faint' }, ` for ${ago(since, now)}`);
    return [
      h('strong', {}, name),
      h('div', {}, badge(state, stateSeverity(one)), standing, code(one)),
      badge(circuit, circuit === 'closed' ? 'ok' : circuit === 'open' ? 'critical' : 'warning'),
      oldestWaiting(lag, name),
      h('div', { class: 'rate' }, h('span', {}, count(one.rowsPerSecond)), chart),
      h('span', { class: 'nowrap' }, `${count(inFlightMessages)} (${bytes(inFlightBytes)})`),
      count(one.undeletedRows),
      count(one.parkedRows),
    ];
  });
  return table('Destinations', DESTINATION_HEADINGS, rows);
}

/**
 * @param {StatusReport['lag']} lag
 * @param {string} destination
 */
function oldestWaiting(lag, destination) {
  const own = lag?.destinations.find(({ name }) => name === destination);
  if (own === undefined) return UNKNOWN;
  return h('span', { class: 'nowrap' }, own.waitingRows === 0 ? 'none' : duration(own.oldestUnpublishedSeconds));
}

/** @param {Pick<DestinationStatus, 'state' | 'circuit' | 'error'>} destination */
export function stateSeverity({ state, circuit, error }) {
  if (state === 'halted' || (state === 'down' && (error !== null || circuit !== 'closed'))) return 'critical';
  return state === 'streaming' ? 'ok' : 'working';
}

/** What led to the state; the summary has the whole of it. @param {DestinationStatus} destination */
function code({ error }) {
  return error === null ? null : h('div', {}, h('code', {}, error.code));
}

/**
 * @param {string} text
 * @param {string} severity
 */
export function badge(text, severity) {
  return h('span', { class: 'badge', 'data-severity': severity }, text);
}

/**
 * A table that a narrow screen shows as cards: each cell carries its heading.
 *
 * @param {string} label
 * @param {readonly string[]} headings
 * @param {readonly (readonly import('./dom.js').Child[])[]} rows
 */
export function table(label, headings, rows) {
  const cell = (/** @type {import('./dom.js').Child} */ content, /** @type {number} */ column) =>
    h(
      column === 0 ? 'th' : 'td',
      { 'data-label': headings[column] ?? '', ...(column === 0 ? { scope: 'row' } : {}) },
      content,
    );
  return h(
    'table',
    { 'aria-label': label },
    h('thead', {}, h('tr', {}, ...headings.map((heading) => h('th', { scope: 'col' }, heading)))),
    h('tbody', {}, ...rows.map((row) => h('tr', {}, ...row.map(cell)))),
  );
}

/**
 * Log, slot, and what the slot costs the server.
 *
 * @param {StatusReport} report
 * @param {number} now
 */
export function drawCapture({ stream, lag, walBudgetBytes, role, captureMode }, now) {
  const { open, slot, since, error, waitsFor } = stream;
  const retained = lag?.slot?.retainedBytes ?? null;
  /** @type {[string, string][]} */
  const facts = [
    ['Rows come by', role !== 'leader' ? UNKNOWN : open ? 'the log (stream)' : 'reading the table (polling)'],
    ['Configured', `capture.mode: ${captureMode}`],
    [open ? 'Stream open' : 'Stream closed', since === null ? UNKNOWN : `since ${time(since)} (${ago(since, now)})`],
    ['Slot', slot ?? lag?.slot?.name ?? 'none'],
    ['wal_status', lag?.slot?.walStatus ?? UNKNOWN],
    [
      'Log retained',
      walBudgetBytes === null
        ? 'none'
        : `${bytes(retained)} of ${bytes(walBudgetBytes)}${share(retained, walBudgetBytes)}`,
    ],
  ];
  if (error !== null)
    facts.push(['Why there is no stream', `${error.message} (${error.code})`], ['To do', error.remedy]);
  if (waitsFor !== null) {
    const { xid, pid, gid, applicationName, role: user, database, ageSeconds, ageIsLowerBound } = waitsFor;
    const whose = gid === null ? `process ${pid ?? '?'}` : `prepared as ${gid}`;
    const who = [applicationName, user, database].filter((each) => each !== null && each !== '').join(', ');
    const age = `${ageIsLowerBound ? 'at least ' : ''}${duration(Math.round(ageSeconds))}`;
    facts.push(['The next slot waits for', `transaction ${xid} of ${whose} (${who}), ${age} old`]);
  }
  redraw(byId('capture'), facts, () =>
    facts.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))),
  );
}

/**
 * @param {number | null} part
 * @param {number} whole
 */
function share(part, whole) {
  return part === null ? '' : ` (${((part / whole) * 100).toFixed(part / whole < 0.1 ? 1 : 0)} %)`;
}

/**
 * @param {StatusReport} report
 * @param {number} now
 */
export function drawInstances({ instances, instance }, now) {
  redraw(byId('instances'), [instances?.map((one) => [one, ago(one.since, now)]), instance], () => {
    if (instances === null) return [h('p', { class: 'empty' }, 'Not known: Postgres could not be asked.')];
    if (instances.length === 0) return [h('p', { class: 'empty' }, 'None is connected to Postgres.')];
    const rows = instances.map(({ name, address, leads, since }) => [
      h('span', {}, h('strong', {}, name ?? 'not to be seen'), name === instance ? ' (this one)' : null),
      badge(leads ? 'leads' : 'waits', leads ? 'ok' : 'working'),
      address ?? UNKNOWN,
      since === null ? UNKNOWN : `${time(since)} (${ago(since, now)})`,
    ]);
    return [
      table('Instances', ['Instance', 'Role', 'Address', 'Connected since'], rows),
      instances.length === 1 ? h('p', { class: 'faint' }, 'No other instance stands by to take over.') : null,
    ];
  });
}

/** @param {StatusReport} report */
export function drawErrors({ lastErrors }) {
  redraw(byId('errors'), lastErrors, () => {
    if (lastErrors.length === 0) return [h('p', { class: 'empty' }, 'None since the start.')];
    const items = lastErrors.map(({ at, code, message, remedy, destination }) =>
      h(
        'li',
        {},
        h(
          'p',
          {},
          h('time', { datetime: at }, time(at)),
          ' ',
          h('code', {}, code),
          destination === null ? null : h('strong', {}, ` ${destination}`),
          ` ${message}`,
        ),
        h('p', { class: 'remedy' }, `To do: ${remedy}`),
      ),
    );
    return [h('ol', { class: 'errors' }, ...items)];
  });
}
