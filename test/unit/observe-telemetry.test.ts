import { describe, expect, it } from 'vitest';
import { RelayError } from '../../src/core/errors.ts';
import type { Log, LogFields } from '../../src/core/log.ts';
import type { OutgoingMessage } from '../../src/core/message.ts';
import type { RoutedMessage } from '../../src/core/routing.ts';
import type { OutboxRow } from '../../src/core/row.ts';
import type { BlockingTransaction, DestinationGauges, LagSample } from '../../src/core/status.ts';
import { Metrics } from '../../src/observe/metrics.ts';
import { Telemetry } from '../../src/observe/telemetry.ts';
import type { RelayTelemetry } from '../../src/relay/telemetry.ts';
import { message } from './relay-support.ts';

interface Line {
  readonly level: string;
  readonly fields: LogFields;
  readonly message: string;
}

/** Telemetry with a clock of its own, and all that it told. */
class Observed {
  now = Date.UTC(2024, 1, 29);
  monotonic = 1_000;
  readonly lines: Line[] = [];
  readonly metrics = new Metrics({ version: 'v', node: 'n' }, { process: false });
  readonly telemetry = new Telemetry(
    this.metrics,
    this.#log(),
    () => this.now,
    () => this.monotonic,
  );

  async values(name: string): Promise<readonly string[]> {
    const prefix = `outbox_relay_${name}`;
    const lines = (await this.metrics.text()).split('\n');
    return lines
      .filter((line) => line.startsWith(`${prefix} `) || line.startsWith(`${prefix}{`))
      .map((line) => line.slice(prefix.length).trim());
  }

  #log(): Log {
    const at = (level: string) => (fields: LogFields, message: string) =>
      void this.lines.push({ level, fields, message });
    const log: Log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), child: () => log };
    return log;
  }
}

const row = (lane: 'stream' | 'table', since: number): OutboxRow => ({
  position: 1n,
  id: 'x',
  values: [Buffer.from('payload')],
  lane,
  xid: null,
  since,
});
const messageOf = (each: OutboxRow): OutgoingMessage => ({ ...message(each.position), row: each });
const routed = (position: bigint, headers: OutgoingMessage['headers'] = []): RoutedMessage => {
  const made = { ...message(position), headers };
  return { destination: 'kafka', row: made.row, message: made, fault: null };
};
const gauges: DestinationGauges = {
  state: 'streaming',
  circuit: 'half-open',
  inFlightMessages: 1,
  inFlightBytes: 2,
  heldBytes: 3,
  undeletedRows: 4,
  parkedRows: 5,
};
const blocker: BlockingTransaction = {
  xid: '700',
  pid: 7,
  gid: null,
  applicationName: 'app',
  role: 'writer',
  database: 'shop',
  ageSeconds: 0,
  ageIsLowerBound: true,
};
const sample: LagSample = {
  oldestUnpublishedSeconds: 12.5,
  waitingRows: 1000,
  waitingRowsEstimated: true,
  destinations: [{ name: 'kafka', oldestUnpublishedSeconds: 12.5, waitingRows: 900 }],
  parkedRows: 3,
  slot: { name: 's', retainedBytes: 77, walStatus: 'extended' },
};
const error = new RelayError('broker_unreachable', 'gone');

describe('Telemetry', () => {
  it('is what the relay asks for', () => {
    const asked: RelayTelemetry = new Observed().telemetry;
    expect(asked.destination('kafka')).toBe(asked.destination('kafka'));
  });

  it('counts what is published by lane, with the time since the commit where that is known', async () => {
    const observed = new Observed();
    const { now } = observed;
    const rows = [row('stream', now - 4), row('stream', now + 50), row('table', NaN), row('table', now - 2000)];
    observed.telemetry.destination('kafka').acknowledged(rows.map(messageOf));
    expect(await observed.values('published_total')).toEqual([
      '{destination="kafka",lane="stream"} 2',
      '{destination="kafka",lane="table"} 2',
    ]);
    expect(await observed.values('end_to_end_seconds_count')).toEqual([
      '{destination="kafka",lane="stream"} 2',
      '{destination="kafka",lane="table"} 1',
    ]);
    expect(await observed.values('end_to_end_seconds_sum')).toEqual([
      '{destination="kafka",lane="stream"} 0.004',
      '{destination="kafka",lane="table"} 2',
    ]);
    expect(observed.lines).toEqual([]);
  });

  it('tells latencies by the clock of the database', async () => {
    const observed = new Observed();
    observed.telemetry.databaseClock(90_000);
    observed.telemetry.destination('kafka').acknowledged([messageOf(row('stream', observed.now + 90_000 - 4))]);
    expect(await observed.values('end_to_end_seconds_sum')).toContain('{destination="kafka",lane="stream"} 0.004');
    expect(await observed.values('clock_offset_seconds')).toEqual(['90']);
  });

  it('tells a transition in one line, one metric with its reason, and the journal', async () => {
    const observed = new Observed();
    observed.telemetry.destination('kafka').transition('streaming', 'down', 'session-failed', error);
    expect(observed.lines).toEqual([
      {
        level: 'warn',
        fields: { destination: 'kafka', from: 'streaming', to: 'down', reason: 'session-failed', error },
        message: 'the destination is down; its rows wait in the table',
      },
    ]);
    expect(await observed.values('transitions_total')).toEqual([
      '{destination="kafka",from="streaming",to="down",reason="session-failed"} 1',
    ]);
    expect(observed.telemetry.journal.lastTransition('kafka')).toEqual({
      since: '2024-02-29T00:00:00.000Z',
      reason: 'session-failed',
      error: { at: '2024-02-29T00:00:00.000Z', code: 'broker_unreachable', message: 'gone', remedy: error.remedy },
    });
  });

  it('counts how often the circuit opens, and tells in the log that it opened and that it is closed again', async () => {
    const observed = new Observed();
    const destination = observed.telemetry.destination('kafka');
    expect(await observed.values('circuit_opened_total')).toEqual(['{destination="kafka"} 0']);
    destination.circuit('closed', 'open');
    destination.circuit('open', 'half-open');
    destination.circuit('half-open', 'open');
    destination.circuit('open', 'half-open');
    destination.circuit('half-open', 'closed');
    expect(await observed.values('circuit_opened_total')).toEqual(['{destination="kafka"} 2']);
    const lines = observed.lines.filter(({ level }) => level !== 'debug');
    expect(lines.map(({ level, fields }) => ({ level, to: fields.to }))).toEqual([
      { level: 'warn', to: 'open' },
      { level: 'info', to: 'closed' },
    ]);
  });

  it('lets ten lines a minute of one kind through, counts all, and says how many were left out', async () => {
    const observed = new Observed();
    const destination = observed.telemetry.destination('kafka');
    const fault = new RelayError('message_too_large', 'too large');
    for (let n = 0; n < 25; n++) destination.setAside(routed(BigInt(n)), fault, 'park-key');
    observed.telemetry.destination('other').setAside(routed(1n), fault, 'park-key');
    expect(observed.lines).toHaveLength(11);
    observed.now += 60_000;
    destination.setAside(routed(26n), fault, 'park-key');
    expect(observed.lines.at(-1)?.fields).toMatchObject({ position: 26n, suppressed: 15 });
    expect(await observed.values('refused_total')).toContain(
      '{destination="kafka",code="message_too_large",action="park-key"} 26',
    );
    expect(await observed.values('errors_total')).toEqual(['{code="message_too_large"} 27']);
  });

  it('names the trace of a row in the lines about it', () => {
    const observed = new Observed();
    const destination = observed.telemetry.destination('kafka');
    const fault = new RelayError('message_too_large', 'too large');
    const headers = [['traceparent', `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`]] as const;
    destination.setAside(routed(1n, headers), fault, 'dead-letter');
    destination.deadLetterFailed(routed(1n, headers), fault);
    destination.setAside(routed(2n, [['traceparent', 'nonsense']]), fault, 'park-key');
    const ids = { trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16) };
    expect(observed.lines.map(({ fields }) => fields)).toEqual([
      { position: 1n, id: 'id-1', ...ids, action: 'dead-letter', destination: 'kafka', error: fault },
      { position: 1n, id: 'id-1', ...ids, destination: 'kafka', error: fault },
      { position: 2n, id: 'id-2', action: 'park-key', destination: 'kafka', error: fault },
    ]);
  });

  it('reads the destinations at each scrape, and tells none when there is none to read', async () => {
    const observed = new Observed();
    let readings = [{ name: 'kafka', ...gauges }];
    observed.telemetry.watch(() => readings);
    expect(await observed.values('parked_rows')).toEqual(['{destination="kafka"} 5']);
    expect(await observed.values('destination_state')).toEqual([
      '{destination="kafka",state="down"} 0',
      '{destination="kafka",state="catchup"} 0',
      '{destination="kafka",state="handover"} 0',
      '{destination="kafka",state="streaming"} 1',
      '{destination="kafka",state="halted"} 0',
    ]);
    expect(await observed.values('circuit_state')).toEqual([
      '{destination="kafka",state="closed"} 0',
      '{destination="kafka",state="open"} 0',
      '{destination="kafka",state="half-open"} 1',
    ]);
    readings = [];
    for (const name of ['parked_rows', 'destination_state', 'circuit_state', 'in_flight_bytes', 'undeleted_rows']) {
      expect(await observed.values(name)).toEqual([]);
    }
  });

  it('tells the lag of the last look, and when the next one fails, only how old that is', async () => {
    const observed = new Observed();
    observed.monotonic += 3000;
    expect(await observed.values('lag_sample_age_seconds')).toEqual(['3']);
    expect(observed.telemetry.journal.lagAgeSeconds).toBeNull();
    observed.telemetry.lagSampled(sample);
    const all = ['oldest_unpublished_seconds', 'waiting_rows', 'waiting_rows_estimated'];
    expect(await Promise.all(all.map((name) => observed.values(name)))).toEqual([['12.5'], ['1000'], ['1']]);
    const each = ['destination_oldest_unpublished_seconds', 'destination_waiting_rows'];
    const ofKafka = each.map((name) => observed.values(name));
    expect(await Promise.all(ofKafka)).toEqual([['{destination="kafka"} 12.5'], ['{destination="kafka"} 900']]);
    observed.monotonic += 7000;
    // set back by an hour meanwhile
    observed.now -= 3_600_000;
    observed.telemetry.lagUnknown(new RelayError('postgres_unreachable', 'gone'));
    for (const name of [...all, ...each]) expect(await observed.values(name)).toEqual([]);
    expect(await observed.values('lag_sample_age_seconds')).toEqual(['7']);
    observed.telemetry.lagSampled({ ...sample, destinations: [], slot: null });
    expect(await observed.values('waiting_rows')).toEqual(['1000']);
    expect(await observed.values('destination_waiting_rows')).toEqual([]);
  });

  it('tells what the slot retains, as long as there is one', async () => {
    const observed = new Observed();
    observed.telemetry.slotSampled({ name: 's', retainedBytes: 77, walStatus: 'extended' });
    expect(await observed.values('slot_retained_bytes')).toEqual(['77']);
    expect(await observed.values('slot_wal_status')).toContain('{status="extended"} 1');
    observed.telemetry.slotSampled(null);
    for (const name of ['slot_retained_bytes', 'slot_wal_status']) expect(await observed.values(name)).toEqual([]);
  });

  it('tells what the creation of a slot waits for: in the log once, in metrics and status as it goes on', async () => {
    const observed = new Observed();
    const transaction = { ...blocker, ageSeconds: 3 };
    observed.telemetry.slotWaits({ slot: 's', transaction });
    observed.telemetry.slotWaits({ slot: 's', transaction: { ...transaction, ageSeconds: 5 } });
    expect(observed.lines.map(({ fields }) => fields)).toEqual([{ slot: 's', transaction }]);
    expect(await observed.values('slot_blocker_age_seconds')).toEqual(['5']);
    expect(observed.telemetry.journal.stream.waitsFor).toMatchObject({ pid: 7, applicationName: 'app', ageSeconds: 5 });
    observed.telemetry.slotWaits(null);
    expect(await observed.values('slot_blocker_age_seconds')).toEqual([]);
    expect(observed.telemetry.journal.stream.waitsFor).toBeNull();
  });

  it('warns of the log budget, and counts how often it was used up', async () => {
    const observed = new Observed();
    expect(await observed.values('wal_guard_trips_total')).toEqual(['0']);
    observed.telemetry.walBudgetNear(new RelayError('wal_budget_near', 'most of it'));
    expect(await observed.values('errors_total')).toEqual(['{code="wal_budget_near"} 1']);
    observed.telemetry.streamEnded(new RelayError('wal_budget_exceeded', 'more than it'), 15_000);
    observed.telemetry.streamUnavailable(new RelayError('wal_budget_exceeded', 'more than it'), 30_000);
    expect(await observed.values('wal_guard_trips_total')).toEqual(['2']);
    expect(observed.lines.map(({ fields }) => fields.retryMs)).toEqual([undefined, 15_000, 30_000]);
  });

  it('counts what was streamed, from scrape to scrape', async () => {
    const observed = new Observed();
    const counters = ['stream_transactions_total', 'stream_rows_total', 'stream_bytes_total'] as const;
    const told = async () => (await Promise.all(counters.map((name) => observed.values(name)))).flat();
    expect(await told()).toEqual(['0', '0', '0']);
    observed.telemetry.streamed(1, 2, 30);
    observed.telemetry.streamed(1, 3, 40);
    expect(await told()).toEqual(['2', '5', '70']);
    observed.telemetry.streamed(1, 1, 1);
    expect(await told()).toEqual(['3', '6', '71']);
  });

  it('knows whether the stream is open', async () => {
    const observed = new Observed();
    expect(await observed.values('stream_open')).toEqual(['0']);
    observed.telemetry.streamOpened('slot_1');
    expect(await observed.values('stream_open')).toEqual(['1']);
    expect(observed.telemetry.journal.stream).toMatchObject({ open: true, slot: 'slot_1' });
    observed.telemetry.streamEnded(new RelayError('replication_failed', 'broke'), 100);
    expect(await observed.values('stream_open')).toEqual(['0']);
    expect(await observed.values('stream_ends_total')).toEqual(['{code="replication_failed"} 1']);
    const why = { error: { code: 'replication_failed', message: 'broke' } };
    expect(observed.telemetry.journal.stream).toMatchObject({ open: false, slot: null, ...why });
    observed.telemetry.streamOpened('slot_2');
    expect(observed.telemetry.journal.stream).toMatchObject({ open: true, slot: 'slot_2', error: null });
  });

  it('keeps the last twenty errors, newest first, one for those that repeat', () => {
    const { telemetry } = new Observed();
    for (let n = 0; n < 30; n++) {
      telemetry.destination(`d${n}`).failed(error);
      telemetry.destination(`d${n}`).failed(error);
    }
    const destinations = telemetry.journal.lastErrors.map(({ destination }) => destination);
    expect(destinations).toEqual(Array.from({ length: 20 }, (_, n) => `d${29 - n}`));
  });

  it('alerts when somebody else deletes rows', async () => {
    const observed = new Observed();
    observed.telemetry.settling.missing(3);
    expect(await observed.values('missing_rows_total')).toEqual(['3']);
    expect(observed.telemetry.journal.lastErrors[0]?.code).toBe('rows_missing');
  });
});
