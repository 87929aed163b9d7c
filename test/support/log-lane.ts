import { expect } from 'vitest';
import type { ErrorCode } from '../../src/core/error-catalogue.ts';
import type { StatusReport } from '../../src/core/status.ts';
import type { RelayProcess } from './relay-process.ts';
import type { KafkaStage } from './relay-stage.ts';
import { until } from './services/until.ts';
import { account, faults } from './workload/accounting.ts';
import type { Workload } from './workload/workload.ts';

/**
 * Waits until the relay has lost the log for this reason, has told so everywhere, and publishes by polling what is
 * written meanwhile. Returns its status.
 */
export async function untilPolling(
  relay: RelayProcess,
  workload: Workload,
  code: ErrorCode,
  message = /./,
): Promise<StatusReport> {
  const status = await relay.waitFor(`no stream for ${code}, ${message.source}`, ({ stream }) => {
    return !stream.open && stream.error?.code === code && message.test(stream.error.message);
  });
  await untilTold(relay, code);
  await untilMorePublished(relay, workload, 'table');
  return status;
}

/** Waits until the relay has told everywhere for what reason it lost the log. It may stream again already. */
export async function untilTold(relay: RelayProcess, code: ErrorCode): Promise<void> {
  await relay.waitFor(`${code} among the errors`, ({ lastErrors }) => lastErrors.some((error) => error.code === code));
  expect(await relay.log()).toContain(`"code":"${code}"`);
  expect(await relay.metric('errors_total', { code })).toBeGreaterThan(0);
  expect(await relay.metric('stream_ends_total', { code })).toBeGreaterThan(0);
}

/** Waits until the relay streams, and publishes what is written from the log. */
export async function untilStreaming(relay: RelayProcess, workload: Workload): Promise<void> {
  await relay.untilState('streaming');
  await untilMorePublished(relay, workload, 'stream');
  // the stream seen above may be one that has ended without the relay knowing yet
  await relay.waitFor('an open stream', ({ stream }) => {
    return stream.open && stream.error === null && stream.waitsFor === null;
  });
}

async function untilMorePublished(relay: RelayProcess, workload: Workload, lane: 'stream' | 'table'): Promise<void> {
  const before = await relay.metric('published_total', { lane });
  await workload.progress(20);
  await until(async () => (await relay.metric('published_total', { lane })) > before, {
    what: `more rows published by the ${lane}`,
  });
}

/** Ends the writing, and makes sure that all of it has arrived, in order. */
export async function untilAccounted(
  stage: KafkaStage,
  workload: Workload,
  duplicates: 'none' | 'permitted',
): Promise<void> {
  const written = await workload.stop();
  await stage.outbox.untilEmpty();
  expect(faults(account(written, await stage.arrived()), duplicates)).toEqual([]);
}
