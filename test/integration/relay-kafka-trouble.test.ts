/** A broker of its own, since these tests stop it, cut it off, and take permissions away. */
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { denyWrite, setScramPassword } from '../support/kafka-access.ts';
import { readTopic } from '../support/kafka-reader.ts';
import { createTopic, deleteTopic } from '../support/kafka-topic.ts';
import {
  insertNumbers,
  numberFaults,
  parkedCodes,
  retryAll,
  untilNothingRetained,
  untilTold,
} from '../support/numbered-rows.ts';
import { relayOutbox } from '../support/relay-outbox.ts';
import { startRelay } from '../support/relay-process.ts';
import { describeWithLauncher, freshDatabase, uniqueName } from '../support/service.ts';
import { type StartedKafka, startKafka } from '../support/services/kafka.ts';
import { TcpProxy } from '../support/services/tcp-proxy.ts';
import { until } from '../support/services/until.ts';

/** Connections with a login have to prove it again after so long. */
const REAUTHENTICATION_MS = 2_000;

describeWithLauncher(
  'kafka',
  'a Kafka in trouble: nothing is lost, it is told, and the relay goes on by itself',
  () => {
    const database = freshDatabase();
    let proxy: TcpProxy;
    let broker: StartedKafka;
    let plain = '';

    beforeAll(async () => {
      proxy = await TcpProxy.start();
      broker = await startKafka({
        listeners: ['plaintext', 'sasl'],
        advertised: [proxy.address],
        properties: {
          'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
          'super.users': 'User:ANONYMOUS',
          'allow.everyone.if.no.acl.found': 'true',
          'connections.max.reauth.ms': String(REAUTHENTICATION_MS),
        },
      });
      plain = broker.addresses.plaintext[0] ?? '';
      const [host = '', port = ''] = plain.split(':');
      proxy.target = { host, port: Number(port) };
    }, 120_000);
    afterAll(async () => {
      await proxy.dispose();
      await broker.dispose();
    });

    /** An outbox and a topic, and how to start a relay between them. */
    async function stage() {
      const outbox = await relayOutbox(database.url, { payload: 'text' });
      const topic = uniqueName('topic');
      const start = (destination: object = {}, limits: Readonly<Record<string, unknown>> = {}) =>
        startRelay(
          outbox.config({
            destinations: {
              kafka: {
                type: 'kafka',
                brokers: [proxy.address],
                requestTimeout: '1s',
                connectTimeout: '1s',
                retryFor: '2s',
                ...destination,
              },
            },
            routes: [{ destination: 'kafka', topic }],
            limits,
            shutdown: { drain: '1s' },
          }),
        );
      const arrived = async () => (await readTopic(broker.brokers, topic)).map(({ value }) => value?.toString() ?? '');
      return { outbox, topic, start, arrived };
    }

    it('is not there at the start, nor for long: rows wait in the table, memory holds none, no log is retained', async () => {
      const { outbox, topic, start, arrived } = await stage();
      await createTopic(plain, topic);
      await broker.kill();
      await insertNumbers(outbox, 20_000);
      const relay = await start();
      await untilTold(relay, 'broker_unreachable');
      await insertNumbers(outbox, 20_000, 20_001);
      await relay.waitFor('three attempts', ({ destinations: [one] }) => one?.circuit !== 'closed');
      await until(async () => (await relay.metric('circuit_opened_total')) >= 3, { what: 'three attempts' });
      expect(await outbox.slots()).toEqual([]);
      expect((await relay.status()).destinations[0]).toMatchObject({ state: 'down', inFlightBytes: 0, heldBytes: 0 });
      await broker.restart();
      await outbox.untilEmpty();
      await relay.untilState('streaming');
      expect((await relay.status()).destinations[0]?.circuit).toBe('closed');
      expect(await relay.metric('in_flight_bytes')).toBe(0);
      expect(numberFaults(await arrived(), 40_000)).toEqual([]);
    }, 120_000);

    it.each([
      { what: 'stands still (SIGSTOP)', begin: () => broker.pause(), end: () => broker.resume() },
      {
        what: 'answers, and no answer comes',
        begin: () => {
          proxy.blackhole(['responses']);
          return Promise.resolve();
        },
        end: () => proxy.heal(),
      },
    ])(
      '$what',
      async ({ begin, end }) => {
        const { outbox, topic, start, arrived } = await stage();
        await createTopic(plain, topic);
        const relay = await start();
        await relay.untilState('streaming');
        await insertNumbers(outbox, 500);
        await outbox.untilEmpty();
        await begin();
        try {
          await insertNumbers(outbox, 2_000, 501);
          await relay.untilState('down');
          await untilTold(relay, 'broker_timeout');
          await outbox.untilNoSlot();
          expect(await outbox.size()).toBe(2_000);
        } finally {
          await end();
        }
        await outbox.untilEmpty();
        await relay.untilState('streaming');
        expect(numberFaults(await arrived(), 2_500)).toEqual([]);
      },
      120_000,
    );

    it('has its topic deleted in mid-stream: a few rows are parked, then it is taken for the one fault that it is', async () => {
      const { outbox, topic, start, arrived } = await stage();
      await createTopic(plain, topic);
      const relay = await start({}, { parked: 5 });
      await relay.untilState('streaming');
      await insertNumbers(outbox, 500);
      await outbox.untilEmpty();
      await deleteTopic(plain, topic);
      await insertNumbers(outbox, 2_000);
      await untilTold(relay, 'parked_limit');
      await relay.untilState('down');
      await outbox.untilNoSlot();
      expect(await parkedCodes(outbox)).toEqual(Array.from({ length: 5 }, () => 'message_unroutable'));
      expect(await outbox.size()).toBe(2_000);
      await createTopic(plain, topic);
      await retryAll(outbox);
      await outbox.untilEmpty();
      await relay.untilState('streaming');
      expect(numberFaults(await arrived(), 2_000)).toEqual([]);
    }, 120_000);

    it('takes the permission to write away, then the login, and gives them back', async () => {
      const { outbox, topic, start, arrived } = await stage();
      await createTopic(plain, topic);
      const { username, password } = broker.credentials;
      onTestFinished(() => setScramPassword(plain, username, password));
      const sasl = { mechanism: 'SCRAM-SHA-256', username, password };
      const relay = await start({ brokers: broker.addresses.sasl, sasl });
      await relay.untilState('streaming');

      await denyWrite(plain, username, topic, true);
      await insertNumbers(outbox, 1_000);
      await untilTold(relay, 'broker_authorization');
      await outbox.untilNoSlot();
      await denyWrite(plain, username, topic, false);
      await outbox.untilEmpty();
      await relay.untilState('streaming');

      await setScramPassword(plain, username, null);
      let rows = 1_000;
      // the login is asked for again when it is too old and something is sent
      await until(
        async () => {
          await insertNumbers(outbox, 10, rows + 1);
          rows += 10;
          return (await relay.status()).lastErrors.some(({ code }) => code === 'broker_authentication');
        },
        { what: 'the refused login', everyMs: 100 },
      );
      await untilNothingRetained(outbox);
      await setScramPassword(plain, username, password);
      await outbox.untilEmpty();
      await relay.untilState('streaming');
      expect(numberFaults(await arrived(), rows)).toEqual([]);
      expect(await parkedCodes(outbox)).toEqual([]);
    }, 120_000);
  },
);
