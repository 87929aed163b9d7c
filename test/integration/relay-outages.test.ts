/** Brokers of their own, since these tests kill them. */
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readTopic } from '../support/kafka-reader.ts';
import { createTopic } from '../support/kafka-topic.ts';
import { countMessages, declareQueue, takeMessages } from '../support/rabbit-reader.ts';
import { relayOutbox, type RelayOutbox } from '../support/relay-outbox.ts';
import { startRelay, type RelayProcess } from '../support/relay-process.ts';
import { describeWithLauncher, freshDatabase, uniqueName } from '../support/service.ts';
import { type StartedKafka, startKafka } from '../support/services/kafka.ts';
import { type StartedRabbitmq, startRabbitmq } from '../support/services/rabbitmq.ts';
import { until } from '../support/services/until.ts';
import { account, faults } from '../support/workload/accounting.ts';
import { eventsInQueue, eventsInTopic } from '../support/workload/arrivals.ts';
import { typeOfKey } from '../support/workload/transaction.ts';
import { startWorkload, type Written } from '../support/workload/workload.ts';

const BROKERS = ['kafka', 'rabbitmq'] as const;
type Broker = (typeof BROKERS)[number];

describeWithLauncher('kafka', 'while one of two brokers is down', () => {
  describeWithLauncher('rabbitmq', 'the other', () => {
    const database = freshDatabase();
    let brokers: { readonly kafka: StartedKafka; readonly rabbitmq: StartedRabbitmq };

    beforeAll(async () => {
      const [kafka, rabbitmq] = await Promise.all([startKafka(), startRabbitmq()]);
      brokers = { kafka, rabbitmq };
    });
    afterAll(() => Promise.all([brokers.kafka.dispose(), brokers.rabbitmq.dispose()]));

    /** A relay to both, with all keys of type `kafka` going to the one and `rabbitmq` to the other. */
    async function start() {
      const outbox = await relayOutbox(database.url);
      const [topic, queue] = [uniqueName('topic'), uniqueName('queue')];
      await createTopic(brokers.kafka.brokers.join(), topic);
      await declareQueue(brokers.rabbitmq.url, { queue });
      const workload = await startWorkload({ url: database.url, outbox: outbox.name, seed: 10, types: BROKERS });
      const config = outbox.config({
        destinations: {
          kafka: { type: 'kafka', brokers: brokers.kafka.brokers, requestTimeout: '3s', retryFor: '3s' },
          rabbitmq: { type: 'rabbitmq', url: brokers.rabbitmq.url, heartbeat: '2s' },
        },
        routes: [
          { match: { aggregatetype: 'kafka' }, destination: 'kafka', topic },
          { destination: 'rabbitmq', exchange: '', routingKey: queue },
        ],
        shutdown: { drain: '2s' },
      });
      const relay = await startRelay(config);
      for (const broker of BROKERS) await relay.untilState('streaming', broker);
      await workload.progress(100);
      const arrived = async (broker: Broker) => {
        if (broker === 'kafka') return eventsInTopic(await readTopic(brokers.kafka.brokers, topic));
        const count = await countMessages(brokers.rabbitmq.url, queue);
        return eventsInQueue(await takeMessages(brokers.rabbitmq.url, queue, count));
      };
      return { outbox, config, relay, workload, arrived };
    }

    it.each([
      { down: 'kafka', up: 'rabbitmq' },
      { down: 'rabbitmq', up: 'kafka' },
    ] as const)(
      'goes on streaming: $up without $down, and then nothing is missing',
      async ({ down, up }) => {
        const { outbox, relay, workload, arrived } = await start();
        const since = sinceOf(await relay.status(), up);
        await brokers[down].kill();
        await relay.untilState('down', down);
        const before = await relay.metric('published_total', { destination: up, lane: 'stream' });
        const passes = await relay.metric('pass_seconds_count', { destination: up });
        expect(passes).toBeGreaterThan(0);
        await workload.progress(200);
        const position = await walPosition(outbox);
        await until(
          async () => (await relay.metric('published_total', { destination: up, lane: 'stream' })) > before + 50,
          {
            what: `rows streamed to ${up}`,
          },
        );
        await untilNotRetained(outbox, position);
        expect(await rowsOf(outbox, down)).toBeGreaterThan(0);
        expect(sinceOf(await relay.status(), up)).toBe(since);

        await brokers[down].restart();
        await relay.untilState('streaming', down, 90_000);
        await workload.progress(100);
        expect(sinceOf(await relay.status(), up)).toBe(since);
        const written = await workload.stop();
        await outbox.untilEmpty();
        expect(await relay.metric('pass_seconds_count', { destination: up })).toBe(passes);
        expect(faults(account(only(written, up), await arrived(up)), 'none')).toEqual([]);
        expect(faults(account(only(written, down), await arrived(down)), 'permitted')).toEqual([]);
      },
      180_000,
    );

    it('may be silent too: asked to end, the relay gives up what is in flight after its deadline', async () => {
      const { outbox, config, relay, workload, arrived } = await start();
      await Promise.all(BROKERS.map((broker) => brokers[broker].pause()));
      await relay.waitFor('messages in flight to both', ({ destinations }) =>
        destinations.every(({ inFlightMessages }) => inFlightMessages > 0),
      );
      expect(await relay.end('SIGTERM')).toBe('exit code 0');
      await Promise.all(BROKERS.map((broker) => brokers[broker].resume()));

      await startRelay(config);
      const written = await workload.stop();
      await outbox.untilEmpty();
      for (const broker of BROKERS) {
        expect(faults(account(only(written, broker), await arrived(broker)), 'permitted')).toEqual([]);
      }
    }, 120_000);
  });
});

type Status = Awaited<ReturnType<RelayProcess['status']>>;

/** Since when a destination has been in its state. */
function sinceOf({ destinations }: Status, name: Broker): string {
  const found = destinations.find((destination) => destination.name === name);
  expect(found?.state).toBe('streaming');
  return found?.since ?? '';
}

function only(written: Written, type: string): Written {
  return { ...written, committed: written.committed.filter(({ key }) => typeOfKey(key) === type) };
}

async function rowsOf({ admin, table }: RelayOutbox, type: string): Promise<number> {
  const { rows } = await admin.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM ${table} WHERE aggregatetype = ${pg.escapeLiteral(type)}`,
  );
  return rows[0]!.count;
}

async function walPosition({ admin }: RelayOutbox): Promise<string> {
  const { rows } = await admin.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
  return rows[0]!.lsn;
}

/** Waits until the relay's slot holds back no log from before a position. */
async function untilNotRetained({ admin, slotPrefix }: RelayOutbox, position: string): Promise<void> {
  const passed = `SELECT FROM pg_replication_slots WHERE starts_with(slot_name, $1) AND confirmed_flush_lsn >= $2::pg_lsn`;
  await until(async () => (await admin.query(passed, [slotPrefix, position])).rowCount === 1, {
    what: `the slot to pass ${position}`,
  });
}
