import { describe, expect, it } from 'vitest';
import { RelayError } from '../../src/core/errors.ts';
import type { Log, LogFields } from '../../src/core/log.ts';
import type { MessageTrace } from '../../src/core/trace.ts';
import { Metrics } from '../../src/observe/metrics.ts';
import { Telemetry } from '../../src/observe/telemetry.ts';
import type { DestinationSpans } from '../../src/observe/tracing/spans.ts';
import { message } from './relay-support.ts';

const TRACE: MessageTrace = {
  traceId: 'a'.repeat(32),
  spanId: 'b'.repeat(16),
  flags: 1,
  state: null,
  parentSpanId: null,
  startedAt: 0,
  startedTick: 0,
};

function observed() {
  const warnings: LogFields[] = [];
  const nothing = (): void => undefined;
  const warn = (fields: LogFields): void => void warnings.push(fields);
  const log: Log = { debug: nothing, info: nothing, warn, error: nothing, child: () => log };
  const metrics = new Metrics({ version: 'v', node: 'n' }, { process: false });
  return { metrics, telemetry: new Telemetry(metrics, log), warnings };
}

describe('telemetry with traces', () => {
  it('hands what becomes of messages to their spans', () => {
    const { telemetry } = observed();
    const told: string[] = [];
    const spansOf = (destination: string): DestinationSpans => ({
      acknowledged: (messages) => told.push(`${destination}: acknowledged ${messages.length}`),
      unacknowledged: (messages) => told.push(`${destination}: unacknowledged ${messages.length}`),
      refused: (_, { code }) => told.push(`${destination}: refused ${code}`),
    });
    const close = () => Promise.resolve();
    telemetry.trace({ tracer: { begin: () => null }, destination: spansOf, close });
    const destination = telemetry.destination('kafka');
    const one = message(1n);
    destination.acknowledged([one, message(2n)]);
    destination.forgotten([one]);
    const fault = new RelayError('message_invalid', 'x');
    destination.setAside({ destination: 'kafka', row: one.row, message: one, fault: null }, fault, 'park-key');
    expect(told).toEqual(['kafka: acknowledged 2', 'kafka: unacknowledged 1', 'kafka: refused message_invalid']);
  });

  it('points from the latency of a traced message to its trace', async () => {
    const { telemetry, metrics } = observed();
    telemetry.destination('kafka').acknowledged([{ ...message(1n), trace: TRACE }, message(2n)]);
    const { body } = await metrics.expose('application/openmetrics-text');
    const exemplars = body.split('\n').filter((line) => line.includes(' # {'));
    expect(exemplars).toHaveLength(1);
    expect(exemplars[0]).toContain(
      `lane="stream",le="+Inf"} 2 # {trace_id="${TRACE.traceId}",span_id="${TRACE.spanId}"}`,
    );
  });

  it('counts what becomes of spans, and says why they were lost', async () => {
    const { telemetry, metrics, warnings } = observed();
    const spans: DestinationSpans = { acknowledged: () => 0, unacknowledged: () => 0, refused: () => 0 };
    expect(await metrics.text()).not.toContain('tracing_spans_total{');
    const close = () => Promise.resolve();
    telemetry.trace({ tracer: { begin: () => null }, destination: () => spans, close });
    telemetry.spans.exported(5);
    telemetry.spans.dropped(1);
    telemetry.spans.dropped(2);
    telemetry.spans.failed(4, new Error('connect ECONNREFUSED http://user:secret@127.0.0.1:4318'));
    const counted = async () => (await metrics.text()).match(/^outbox_relay_tracing_spans_total.*$/gm);
    const expected = ['exported"} 5', 'failed"} 4', 'dropped"} 3'];
    const lines = expected.map((each) => `outbox_relay_tracing_spans_total{result="${each}`);
    expect(await counted()).toEqual(lines);
    expect(await counted(), 'at the next scrape').toEqual(lines);
    expect(warnings).toMatchObject([{ spans: 4, error: { code: 'tracing_export' } }]);
    expect(JSON.stringify(telemetry.journal.lastErrors)).not.toContain('secret');
  });
});
