import type { Verdict } from '../admin/health.ts';
import { blockerText } from '../core/blocker.ts';
import type { DestinationStatus, ShardStatus, StatusReport, StreamStatus } from '../core/status.ts';
import { type Style, table } from './output.ts';

/** How many of the latest errors are shown. */
const ERRORS = 5;

/** The report as a person reads it. */
export function statusLines(report: StatusReport, ready: Verdict, style: Style): readonly string[] {
  const { version, role, roleSince, stream, destinations, shards, lastErrors } = report;
  const mark = ready.ok ? style.good('ready') : style.bad('not ready');
  return [
    `${style.strong(`outbox-relay ${version}`)}  ${mark}${ready.ok ? '' : `: ${ready.reason}`}`,
    `  role    ${role} since ${roleSince}`,
    `  lane    ${stream.open ? `log, slot ${stream.slot ?? '-'}` : 'table'}${since(stream.since)}`,
    ...streamLines(stream, style),
    `  lag     ${lagText(report)}`,
    ...(destinations.length === 0 ? [] : ['', ...destinationLines(destinations)]),
    ...(shards.length === 0 ? [] : ['', ...shardLines(shards)]),
    ...(lastErrors.length === 0 ? [] : ['', style.strong('latest errors'), ...errorLines(report, style)]),
  ];
}

/** Why there is no stream. */
function streamLines({ error, waitsFor }: StreamStatus, style: Style): readonly string[] {
  return [
    ...(error === null ? [] : [`          ${error.code}: ${error.message}`, style.faint(`          ${error.remedy}`)]),
    ...(waitsFor === null ? [] : [`          a slot is being created, which waits for ${blockerText(waitsFor)}`]),
  ];
}

function destinationLines(destinations: readonly DestinationStatus[]): readonly string[] {
  const headings = ['destination', 'state', 'circuit', 'in flight', 'undeleted', 'parked', 'since', 'reason'];
  return table(
    headings,
    destinations.map((one) => [
      one.name,
      one.state,
      one.circuit,
      String(one.inFlightMessages),
      String(one.undeletedRows),
      String(one.parkedRows),
      one.since,
      [one.reason ?? '', one.error === null ? '' : `(${one.error.code}: ${one.error.message})`].join(' ').trim(),
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
  const rows = `${lag.waitingRowsEstimated ? 'about ' : ''}${lag.waitingRows} rows wait`;
  const age = `, the oldest for ${lag.oldestUnpublishedSeconds.toFixed(1)} s`;
  const slot = lag.slot === null ? '' : `, the slot retains ${lag.slot.retainedBytes} bytes (${lag.slot.walStatus})`;
  return `${rows}${lag.waitingRows === 0 ? '' : age}${slot}`;
}

function errorLines({ lastErrors }: StatusReport, style: Style): readonly string[] {
  return lastErrors
    .slice(0, ERRORS)
    .flatMap(({ at, code, message, remedy, destination }) => [
      `  ${at}  ${code}${destination === null ? '' : ` (${destination})`}  ${message}`,
      style.faint(`      ${remedy}`),
    ]);
}

function since(at: string | null): string {
  return at === null ? '' : ` since ${at}`;
}
