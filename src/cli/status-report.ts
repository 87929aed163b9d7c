import type { DestinationStatus, Severity, ShardStatus, StatusReason, StatusReport } from '../core/status.ts';
import { bytesText, secondsText } from './figures.ts';
import { printable, type Style, table } from './output.ts';

/** How many of the latest errors are shown. */
const ERRORS = 5;

/** The report as a person reads it: what the status page shows, in its order. */
export function statusLines(report: StatusReport, style: Style): readonly string[] {
  const { summary, version, instance, destinations, lastErrors } = report;
  return [
    `${toned(style, summary.severity, summary.title)}  ${style.faint(`outbox-relay ${version}, ${instance}`)}`,
    ...summary.reasons.flatMap((reason) => reasonLines(reason, style)),
    '',
    ...factLines(report),
    ...(destinations.length === 0 ? [] : ['', ...destinationLines(report)]),
    ...(report.shards.length === 0 ? [] : ['', ...shardLines(report.shards)]),
    ...instanceLines(report, style),
    ...(lastErrors.length === 0 ? [] : ['', style.strong('latest errors'), ...errorLines(report, style)]),
  ];
}

/** The report in one line, for a log. */
export function statusLine(report: StatusReport): string {
  const { summary, destinations } = report;
  const rate = destinations.reduce((sum, { rowsPerSecond }) => sum + (rowsPerSecond ?? 0), 0);
  const reasons = summary.reasons.map((reason) => reasonText(reason));
  const facts = [`${summary.severity}: ${summary.title}`, lagText(report), `${rate.toFixed(1)} rows/s`, ...reasons];
  return `${new Date().toISOString()}  ${facts.join('; ')}`;
}

function toned(style: Style, severity: Severity, text: string): string {
  const tones = { ok: style.good, working: style.strong, warning: style.warning, critical: style.bad };
  return tones[severity](text);
}

function reasonText({ destination, text, code }: StatusReason): string {
  return printable(`${destination === null ? '' : `${destination} `}${text}${code === null ? '' : ` (${code})`}`);
}

function reasonLines(reason: StatusReason, style: Style): readonly string[] {
  const { severity, remedy } = reason;
  return [
    `  ${toned(style, severity, severity.padEnd(8))}  ${reasonText(reason)}`,
    ...(remedy === null ? [] : [style.faint(`            to do: ${printable(remedy)}`)]),
  ];
}

function factLines(report: StatusReport): readonly string[] {
  const { role, roleSince, stream, lag, lagAgeSeconds, walBudgetBytes } = report;
  const lane = stream.open ? `log, slot ${stream.slot ?? '-'}` : 'table';
  const measured = lagAgeSeconds === null ? '' : `, measured ${secondsText(Math.floor(lagAgeSeconds))} ago`;
  const budget = walBudgetBytes === null ? '' : ` of ${bytesText(walBudgetBytes)} allowed`;
  const slot = lag?.slot ?? null;
  return [
    `  role      ${role} since ${roleSince}`,
    `  lane      ${lane}${stream.since === null ? '' : ` since ${stream.since}`}`,
    `  lag       ${lagText(report)}${measured}`,
    ...(slot === null ? [] : [`  slot      retains ${bytesText(slot.retainedBytes)}${budget}, ${slot.walStatus}`]),
    ...(lag === null || lag.parkedRows === 0 ? [] : [`  parked    ${lag.parkedRows} rows (outbox-relay parked list)`]),
  ];
}

function destinationLines({ destinations, lag }: StatusReport): readonly string[] {
  const headings = [
    'destination',
    'state',
    'circuit',
    'lag',
    'rows/s',
    'in flight',
    'undeleted',
    'parked',
    'since',
    'reason',
  ];
  const oldest = ({ name }: DestinationStatus): string => {
    const own = lag?.destinations.find((each) => each.name === name);
    return own === undefined ? '-' : secondsText(own.oldestUnpublishedSeconds);
  };
  return table(
    headings,
    destinations.map((one) => [
      one.name,
      one.state,
      one.circuit,
      oldest(one),
      one.rowsPerSecond === null ? '-' : one.rowsPerSecond.toFixed(1),
      String(one.inFlightMessages),
      String(one.undeletedRows),
      String(one.parkedRows),
      one.since,
      [one.reason ?? '', one.error === null ? '' : `(${one.error.code})`].join(' ').trim(),
    ]),
  );
}

function shardLines(shards: readonly ShardStatus[]): readonly string[] {
  return table(
    ['shard', 'led by', 'states'],
    shards.map(({ shard, leads, led, holder, states }) => [
      String(shard),
      leads ? 'this instance' : led === true ? (holder ?? '-') : led === false ? 'nobody' : 'not known yet',
      Object.entries(states)
        .map(([name, state]) => `${name} ${state}`)
        .join(', '),
    ]),
  );
}

function lagText({ lag }: StatusReport): string {
  if (lag === null) return 'not known yet';
  if (lag.waitingRows === 0) return 'no row waits';
  if (lag.waitingRows === 1) return `1 row waits, for ${secondsText(lag.oldestUnpublishedSeconds)}`;
  const rows = lag.waitingRowsEstimated ? `about ${lag.waitingRows}` : String(lag.waitingRows);
  return `${rows} rows wait, the oldest for ${secondsText(lag.oldestUnpublishedSeconds)}`;
}

function instanceLines({ instances, instance }: StatusReport, style: Style): readonly string[] {
  if (instances === null || instances.length === 0) return [];
  const rows = instances.map(({ name, address, leads, since }) => [
    `${name === null ? 'not to be seen' : printable(name)}${name === instance ? ' (this one)' : ''}`,
    leads ? 'leads' : 'waits',
    address ?? '-',
    since ?? '-',
  ]);
  return [
    '',
    ...table(['instance', 'role', 'address', 'connected since'], rows).map((line, at) =>
      at === 0 ? style.faint(line) : line,
    ),
  ];
}

function errorLines({ lastErrors }: StatusReport, style: Style): readonly string[] {
  return lastErrors
    .slice(0, ERRORS)
    .flatMap(({ at, code, message, remedy, destination }) => [
      `  ${at}  ${code}${destination === null ? '' : ` (${destination})`}  ${printable(message)}`,
      style.faint(`      ${printable(remedy)}`),
    ]);
}
