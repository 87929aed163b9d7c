import { describe, expect, it } from 'vitest';
import type { DestinationStatus, ReportedError, StatusFacts } from '../../src/core/status.ts';
import { summarize } from '../../src/core/status-summary.ts';
import { destinationStatus, statusFacts } from '../support/status-report.ts';

const error: ReportedError = {
  at: '2026-01-01T00:00:00.000Z',
  code: 'broker_unreachable',
  message: 'nobody answers at kafka:9092',
  remedy: 'Start it.',
};
const lag = statusFacts().lag!;
const blocker = { xid: '7', pid: 1, gid: null, applicationName: 'job', role: null, database: null, ageSeconds: 60 };

function said(fields: Partial<StatusFacts>): string[] {
  const { severity, title, reasons } = summarize(statusFacts(fields));
  return [
    `${severity}: ${title}`,
    ...reasons.map(({ severity: one, destination, text }) => `${one} ${destination ?? '-'} ${text}`),
  ];
}

function destinations(...states: Partial<DestinationStatus>[]): Partial<StatusFacts> {
  return { destinations: states.map((state, at) => destinationStatus({ name: `d${at}`, ...state })) };
}

describe('the summary', () => {
  it('of a leader that publishes is short', () => {
    expect(said({})).toEqual(['ok: Publishing']);
  });

  it('puts what stands still first, with its remedy', () => {
    expect(said(destinations({ state: 'down', circuit: 'open', error }))).toEqual([
      'critical: Not publishing',
      'critical d0 is down, its rows wait in the table: nobody answers at kafka:9092',
    ]);
    const [first] = summarize(statusFacts(destinations({ state: 'down', circuit: 'open', error }))).reasons;
    expect(first).toMatchObject({ code: 'broker_unreachable', remedy: 'Start it.' });
    const two = said({
      ...destinations({ circuit: 'half-open' }, { state: 'halted' }),
      lag: { ...lag, parkedRows: 2 },
    });
    expect(two).toEqual([
      'critical: Not publishing to 1 of 2 destinations',
      'critical d1 stands still until the relay is restarted',
      'warning d0 is tried again after a failure, and has acknowledged nothing yet',
      'warning - 2 rows are parked; later rows of their keys wait',
    ]);
    expect(said(destinations({ state: 'halted' }, { state: 'halted' }))[0]).toBe(
      'critical: Not publishing to any of 2 destinations',
    );
  });

  it('tells shards that nobody leads, as critical once rows wait for long', () => {
    const shard = { leads: false, led: true, holder: 'there 1', states: {} };
    const shards = [
      { ...shard, shard: 0, leads: true },
      { ...shard, shard: 1, led: false },
      { ...shard, shard: 2, led: null },
    ];
    expect(said({ shards })).toEqual([
      'warning: Publishing',
      'warning - nobody leads shard 1: its rows wait in the table',
    ]);
    const late = { ...lag, oldestUnpublishedSeconds: 31 };
    expect(said({ shards, lag: late })[0]).toBe('critical: Not publishing 1 of 3 shards');
    expect(said({ shards: [...shards, { ...shard, shard: 3, led: false }], lag: late })).toEqual([
      'critical: Not publishing 2 of 4 shards',
      'critical - nobody leads shards 1, 3: their rows wait in the table',
    ]);
    expect(said({ role: 'standby', shards, instances: null })[0]).toBe('warning: Standing by');
    expect(said({ shards: shards.filter(({ led }) => led !== false), lag: late })).toEqual(['ok: Publishing']);
  });

  it('does not take a destination that has not tried yet for one that is down', () => {
    expect(said(destinations({ state: 'down' }))[1]).toBe('working d0 connects to its broker');
  });

  it('says why one is down that never was up', () => {
    const never = {
      ...destinations({ state: 'down', circuit: 'open' }),
      lastErrors: [{ ...error, destination: 'd0' }],
    };
    expect(said(never)[1]).toBe('critical d0 is down, its rows wait in the table: nobody answers at kafka:9092');
  });

  it('says how long a backlog may take only where both figures are known', () => {
    const behind = destinations({ state: 'catchup', rowsPerSecond: 100 });
    expect(said({ ...behind, lag: { ...lag, waitingRows: 5000 } })).toEqual([
      'working: Catching up',
      'working d0 catches up by reading the table; at the present rate for about 50 s more, without what is written meanwhile',
    ]);
    for (const unknown of [{ waitingRowsEstimated: true }, { waitingRows: 5 }]) {
      expect(said({ ...behind, lag: { ...lag, waitingRows: 5000, ...unknown } })[1]).toBe(
        'working d0 catches up by reading the table',
      );
    }
    expect(said({ ...destinations({ state: 'catchup' }), lag: { ...lag, waitingRows: 5000 } })[1]).not.toContain(
      'rate',
    );
  });

  it('tells polling that was asked for from polling for want of a stream', () => {
    const closed = { open: false, slot: null, since: null, error: null, waitsFor: null };
    const polling = destinations({ state: 'catchup' });
    expect(said({ ...polling, captureMode: 'polling', stream: closed })).toEqual(['ok: Publishing']);
    const refused = { ...error, code: 'replication_exhausted' as const, message: 'no slot is free' };
    expect(said({ ...polling, stream: { ...closed, error: refused } })).toEqual([
      'warning: Publishing',
      'warning - there is no stream, rows come by polling the table: no slot is free',
    ]);
    const waits = { ...closed, waitsFor: { ...blocker, ageIsLowerBound: true } };
    expect(said({ ...polling, stream: waits })).toEqual([
      'working: Publishing',
      'working - rows come by polling while the creation of a slot waits for transaction 7 of process 1: application job, for at least 60 s',
    ]);
  });

  it('warns of the log that a slot retains, and of a slot that Postgres gives up', () => {
    const slot = { name: 's', retainedBytes: 800_001, walStatus: 'unreserved' };
    expect(said({ lag: { ...lag, slot } })).toEqual([
      'warning: Publishing',
      "warning - Postgres is about to give the slot's log up (wal_status unreserved)",
      'warning - the slot retains most of capture.walBudget; beyond it the stream is closed and the table polled',
    ]);
    expect(said({ lag: { ...lag, slot: { ...slot, retainedBytes: 800_000, walStatus: 'extended' } } })).toHaveLength(1);
  });

  it('is honest about a lag that is not known', () => {
    expect(said({ lagAgeSeconds: null, lag: null })).toEqual([
      'working: Publishing',
      'working - the lag has not been measured yet',
    ]);
    const failed = { ...error, code: 'postgres_unreachable' as const, destination: null };
    const { severity, reasons } = summarize(statusFacts({ lagAgeSeconds: 95.5, lastErrors: [failed] }));
    expect([severity, reasons[0]?.text, reasons[0]?.code]).toEqual([
      'warning',
      'the lag is not known: it could not be measured for 95 s',
      'postgres_unreachable',
    ]);
  });

  it('of a standby says who leads, and whether anybody does', () => {
    const other = { name: 'there 2', address: null, leads: true, since: null };
    const standby = { role: 'standby' as const, destinations: [] };
    expect(said({ ...standby, instances: [other] })).toEqual([
      'ok: Standing by',
      'ok - there 2 leads; this one takes over when it stops',
    ]);
    expect(said({ ...standby, instances: null })[1]).toBe('ok - another instance leads');
    expect(said({ ...standby, instances: [{ ...other, leads: false }] })).toEqual([
      'warning: Standing by',
      'warning - no instance leads at the moment',
    ]);
  });

  it('of an instance that starts says what keeps it from starting', () => {
    const starting = { role: 'starting' as const, destinations: [], lag: null, lagAgeSeconds: null };
    expect(said(starting)).toEqual(['working: Starting', 'working - looks for the database and the outbox table']);
    expect(said({ ...starting, lastErrors: [{ ...error, destination: null }] })).toEqual([
      'critical: Cannot start yet',
      'critical - nobody answers at kafka:9092',
    ]);
    expect(said({ role: 'stopping' })).toEqual(['ok: Stopping']);
  });

  it('of one whose housekeeping is stuck is critical', () => {
    expect(said({ heartbeatAgeSeconds: 61 })).toEqual([
      'critical: Stuck',
      'critical - housekeeping has not come round for 61 s',
    ]);
  });
});
