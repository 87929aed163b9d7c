/**
 * What the relay makes a server retain, beside a permanent slot that nobody reads: on a server of its own, since all log
 * and every transaction of a server counts.
 */
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { untilTold } from '../support/log-lane.ts';
import { declareQueue } from '../support/rabbit-reader.ts';
import { relayOutbox, type RelayOutbox } from '../support/relay-outbox.ts';
import { startRelay, type RelayConfig, type RelayProcess } from '../support/relay-process.ts';
import { advanceLog, openTransaction, retainedLog, SEGMENT_BYTES } from '../support/server-log.ts';
import { describeWithLauncher, describeWithService, uniqueName } from '../support/service.ts';
import { startPostgres, type StartedPostgres } from '../support/services/postgres.ts';
import { TcpProxy } from '../support/services/tcp-proxy.ts';
import { until } from '../support/services/until.ts';

const BUDGET_BYTES = 36 * 2 ** 20;
/** What may be retained at the look that finds the budget exceeded, as the log moves on by a segment a look. */
const BOUND_BYTES = BUDGET_BYTES + SEGMENT_BYTES;
const CONTROL = 'control';

describeWithLauncher('postgres', 'the log that is retained', () => {
  let server: StartedPostgres;
  let url: string;

  beforeAll(async () => {
    server = await startPostgres({ settings: { max_wal_size: '32MB', min_wal_size: '32MB', wal_init_zero: 'off' } });
    url = await server.createDatabase('shop');
    await server.query(`SELECT pg_create_logical_replication_slot('${CONTROL}', 'pgoutput')`);
  });
  afterAll(() => server.dispose());

  /** A relay that prints what it publishes, with a small budget. */
  async function start(capture: RelayConfig = {}, destination: RelayConfig = { type: 'console' }) {
    const outbox = await relayOutbox(url);
    const route = {
      destination: 'only',
      ...(destination.type === 'console' ? {} : { exchange: '', routingKey: QUEUE }),
    };
    const relay = await startRelay(
      outbox.config({
        destinations: { only: destination },
        routes: [route],
        capture: { walBudget: '36MiB', ...capture },
      }),
    );
    return { outbox, relay };
  }

  const QUEUE = uniqueName('queue');

  async function insert({ admin, table }: RelayOutbox, rows: number): Promise<void> {
    await admin.query(`INSERT INTO ${table} (aggregatetype, aggregateid, type, payload)
      SELECT 'order', n::text, 'sent', '{}' FROM generate_series(1, ${rows}) n`);
  }

  /**
   * Moves the log on until the relay's guard has closed its slot, never before the relay has looked at what the last
   * segment made of it. Returns the most that its slots have retained, in bytes.
   */
  async function untilTripped({ outbox, relay }: { outbox: RelayOutbox; relay: RelayProcess }): Promise<number> {
    const before = await relay.metric('wal_guard_trips_total');
    const tripped = async (): Promise<boolean> => (await relay.metric('wal_guard_trips_total')) > before;
    const told = (): Promise<number> => relay.metric('slot_retained_bytes');
    let most = 0;
    for (let n = 0; n < 10 && !(await tripped()); n++) {
      await advanceLog(server, 1);
      most = Math.max(most, await retainedLog(server, outbox.slotPrefix));
      const looked = async (): Promise<boolean> =>
        (await tripped()) || (await told()) >= (await retainedLog(server, outbox.slotPrefix)) - SEGMENT_BYTES / 16;
      await until(looked, { what: 'a look at the slot' });
    }
    expect(await relay.metric('wal_guard_trips_total')).toBe(before + 1);
    return most;
  }

  it('stays within the budget while a transaction holds the stream back, and then the next slot', async () => {
    const control = await retainedLog(server, CONTROL);
    // from the beginning of a segment, so that a look at two of them falls between warning and budget
    await advanceLog(server, 1);
    const staged = await start();
    const { outbox, relay } = staged;
    await relay.untilState('streaming');
    expect(await relay.metric('wal_budget_bytes')).toBe(BUDGET_BYTES);
    const holder = await openTransaction(url);
    onTestFinished(() => holder.end().catch(() => undefined));
    const streaming = await untilTripped(staged);
    expect(await relay.metric('errors_total', { code: 'wal_budget_near' })).toBe(1);
    await untilTold(relay, 'wal_budget_exceeded');

    await insert(outbox, 10);
    await outbox.untilEmpty();
    expect(await relay.metric('published_total', { lane: 'table' })).toBe(10);
    const { stream } = await relay.waitFor('a slot that waits', ({ stream: { waitsFor } }) => waitsFor !== null);
    const [{ pid } = { pid: 0 }] = (await holder.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows;
    expect(stream.waitsFor).toMatchObject({ pid, gid: null, applicationName: 'nightly report', ageIsLowerBound: true });
    expect(await relay.log()).toContain('nightly report');
    const waiting = await untilTripped(staged);

    expect(streaming).toBeGreaterThan(BUDGET_BYTES);
    expect(Math.max(streaming, waiting)).toBeLessThan(BOUND_BYTES);
    expect((await retainedLog(server, CONTROL)) - control).toBeGreaterThan(streaming + waiting - SEGMENT_BYTES);
    await holder.query('COMMIT');
    await relay.untilState('streaming');
    await insert(outbox, 10);
    await outbox.untilEmpty();
    expect(await relay.metric('published_total', { lane: 'stream' })).toBe(10);
  }, 120_000);

  it('is let go each time that the creation of a slot has waited in vain', async () => {
    const control = await retainedLog(server, CONTROL);
    const gid = uniqueName('orphan of a coordinator');
    await server.query(`BEGIN; CREATE TABLE ${uniqueName('t')} (); PREPARE TRANSACTION '${gid}'`);
    const { outbox, relay } = await start({ slotTimeout: '1s' });
    let most = 0;
    const slots = new Set<string>();
    const attempts = 4;
    for (let n = 0; n < attempts; n++) {
      const { stream } = await relay.waitFor('a slot that waits', ({ stream: { waitsFor } }) => waitsFor !== null);
      expect(stream.waitsFor).toMatchObject({ pid: null, gid, role: 'postgres', ageIsLowerBound: false });
      for (const slot of await outbox.slots()) slots.add(slot);
      await advanceLog(server, 2);
      most = Math.max(most, await retainedLog(server, outbox.slotPrefix));
      const failures = await relay.metric('stream_ends_total', { code: 'replication_slot_waits' });
      await until(
        async () => (await relay.metric('stream_ends_total', { code: 'replication_slot_waits' })) > failures,
        { what: 'the end of an attempt' },
      );
    }
    await untilTold(relay, 'replication_slot_waits');
    const { stream } = await relay.status();
    expect(stream.error).toMatchObject({
      message: expect.stringContaining(`prepared transaction '${gid}'`) as string,
      remedy: expect.stringContaining(`ROLLBACK PREPARED '${gid}'`) as string,
    });
    expect(slots.size).toBeGreaterThan(attempts / 2);
    expect(most).toBeLessThan(3 * SEGMENT_BYTES);
    expect((await retainedLog(server, CONTROL)) - control).toBeGreaterThan((2 * attempts - 1) * SEGMENT_BYTES);
    await insert(outbox, 10);
    await outbox.untilEmpty();
    expect(await relay.metric('published_total', { lane: 'table' })).toBe(10);

    await server.query(`ROLLBACK PREPARED '${gid}'`);
    await relay.untilState('streaming');
    expect((await relay.status()).stream).toMatchObject({ open: true, error: null, waitsFor: null });
  }, 120_000);

  it('is let go at once by a relay that is killed', async () => {
    const control = await retainedLog(server, CONTROL);
    const { outbox, relay } = await start();
    await relay.untilState('streaming');
    const holder = await openTransaction(url);
    onTestFinished(() => holder.end().catch(() => undefined));
    await advanceLog(server, 1);
    expect(await retainedLog(server, outbox.slotPrefix)).toBeGreaterThan(0);
    await relay.end('SIGKILL');
    await outbox.untilNoSlot();
    await advanceLog(server, 5);
    expect(await retainedLog(server, outbox.slotPrefix)).toBe(0);
    expect((await retainedLog(server, CONTROL)) - control).toBeGreaterThan(5 * SEGMENT_BYTES);
    await holder.end();
  }, 60_000);

  describeWithService('rabbitmq', 'for a broker', (rabbitmq) => {
    it('is nothing while the broker is dead: rows wait in the table', async () => {
      await declareQueue(rabbitmq.url, { queue: QUEUE });
      const broker = new URL(rabbitmq.url);
      const proxy = await TcpProxy.start({ host: broker.hostname, port: Number(broker.port || 5672) });
      onTestFinished(() => proxy.dispose());
      broker.host = proxy.address;
      const { outbox, relay } = await start({}, { type: 'rabbitmq', url: broker.href, heartbeat: '1s' });
      await relay.untilState('streaming');
      const control = await retainedLog(server, CONTROL);
      proxy.blackhole();
      await insert(outbox, 10);
      await relay.untilState('down');
      await outbox.untilNoSlot();
      await advanceLog(server, 6);
      expect(await retainedLog(server, outbox.slotPrefix)).toBe(0);
      expect((await retainedLog(server, CONTROL)) - control).toBeGreaterThan(5 * SEGMENT_BYTES);
      expect(await outbox.size()).toBe(10);
      await proxy.heal();
      await outbox.untilEmpty();
      await relay.untilState('streaming');
    }, 120_000);
  });
});
