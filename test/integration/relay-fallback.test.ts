/** Each trouble of the log lane: detected, told by its code, bridged by polling, and over without a restart once mended. */
import { expect, it } from 'vitest';
import { quoteIdentifier } from '../../src/postgres/identifier.ts';
import { untilAccounted, untilPolling, untilStreaming, untilTold } from '../support/log-lane.ts';
import { startRelay } from '../support/relay-process.ts';
import { kafkaStage } from '../support/relay-stage.ts';
import { describeWithService, freshDatabase } from '../support/service.ts';
import { account, faults } from '../support/workload/accounting.ts';

describeWithService('kafka', 'without replication the relay polls, and streams as soon as it may', (kafka) => {
  const brokers = kafka.url;
  const database = freshDatabase();

  it('when it is told to poll, it never streams', async () => {
    const stage = await kafkaStage(database.url, brokers, { capture: { mode: 'polling' } });
    const workload = await stage.write(5);
    const relay = await startRelay(stage.config);
    await workload.progress(300);
    const written = await workload.stop();
    await stage.outbox.untilEmpty();
    expect(faults(account(written, await stage.arrived()), 'none')).toEqual([]);
    expect(await relay.metric('published_total', { lane: 'table' })).toBe(written.committed.length);
    expect(await stage.outbox.slots()).toEqual([]);
  }, 120_000);

  it('while its role may not replicate: from the start, and when it loses the attribute', async () => {
    const stage = await kafkaStage(database.url, brokers, {}, { role: 'NOREPLICATION' });
    const { admin, role } = stage.outbox;
    const workload = await stage.write(4);
    const relay = await startRelay(stage.config);
    await untilPolling(relay, workload, 'replication_denied');
    await admin.query(`ALTER ROLE ${role} REPLICATION`);
    await untilStreaming(relay, workload);

    // what runs goes on: the attribute is asked for when a session begins
    await admin.query(`ALTER ROLE ${role} NOREPLICATION`);
    expect(await stage.outbox.endWalsender()).toBe(1);
    await untilPolling(relay, workload, 'replication_denied');
    await admin.query(`ALTER ROLE ${role} REPLICATION`);
    await untilStreaming(relay, workload);
    await untilAccounted(stage, workload, 'none');
  }, 120_000);

  it('when its walsender is ended, and the slot with it', async () => {
    const stage = await kafkaStage(database.url, brokers, { capture: { retryReplication: '1h' } });
    const workload = await stage.write(7);
    const relay = await startRelay(stage.config);
    await untilStreaming(relay, workload);
    const [first] = await stage.outbox.slots();
    expect(await stage.outbox.endWalsender()).toBe(1);
    await untilTold(relay, 'replication_failed');
    await relay.waitFor('another slot', ({ stream }) => stream.open && stream.slot !== first);
    await untilStreaming(relay, workload);
    await untilAccounted(stage, workload, 'none');
  }, 120_000);

  it('while the publication is missing, or leaves something out', async () => {
    const stage = await kafkaStage(database.url, brokers);
    const { admin, table } = stage.outbox;
    const publication = quoteIdentifier(stage.outbox.publication);
    const { rows } = await admin.query<{ version: number }>(
      `SELECT current_setting('server_version_num')::int AS version`,
    );
    const troubles = [
      {
        message: /leaves inserts out/,
        breaks: `ALTER PUBLICATION ${publication} SET (publish = 'update')`,
        mends: `ALTER PUBLICATION ${publication} SET (publish = 'insert')`,
      },
      {
        message: /does not cover/,
        breaks: `ALTER PUBLICATION ${publication} DROP TABLE ${table}`,
        mends: `ALTER PUBLICATION ${publication} ADD TABLE ${table}`,
      },
      {
        message: /row filter/,
        since: 150_000,
        breaks: `ALTER PUBLICATION ${publication} SET TABLE ${table} WHERE (aggregatetype = 'other')`,
        mends: `ALTER PUBLICATION ${publication} SET TABLE ${table}`,
      },
      {
        message: /leaves columns .* payload/,
        since: 150_000,
        breaks: `ALTER PUBLICATION ${publication} SET TABLE ${table} (position, id)`,
        mends: `ALTER PUBLICATION ${publication} SET TABLE ${table}`,
      },
      {
        message: /does not exist/,
        breaks: `DROP PUBLICATION ${publication}`,
        mends: `CREATE PUBLICATION ${publication} FOR TABLE ${table} WITH (publish = 'insert')`,
      },
    ];
    const workload = await stage.write(8);
    const relay = await startRelay(stage.config);
    for (const { message, breaks, mends } of troubles.filter(({ since = 0 }) => rows[0]!.version >= since)) {
      await untilStreaming(relay, workload);
      await admin.query(breaks);
      await untilPolling(relay, workload, 'replication_publication', message);
      await admin.query(mends);
    }
    await untilStreaming(relay, workload);
    await untilAccounted(stage, workload, 'none');
    expect(await relay.metric('stragglers_total')).toBe(0);
  }, 180_000);
});
