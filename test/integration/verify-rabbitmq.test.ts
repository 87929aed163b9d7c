/** `outbox-relay verify` against RabbitMQ: by watching what is published, and by reading a stream. */
import { randomUUID } from 'node:crypto';
import amqp from 'amqplib';
import { expect, it } from 'vitest';
import { companionTables, quoteTable } from '../../src/postgres/identifier.ts';
import { outboxRelay } from '../support/cli.ts';
import { countMessages, declareQueue } from '../support/rabbit-reader.ts';
import { type RelayOutbox, relayOutbox } from '../support/relay-outbox.ts';
import { startRelay } from '../support/relay-process.ts';
import { describeWithService, freshDatabase, uniqueName } from '../support/service.ts';
import { until } from '../support/services/until.ts';
import { configFile, verify } from '../support/verify-report.ts';

const SOUND = { missing: 0, outOfOrder: 0, duplicated: 0, unexpected: 0 };
const ROWS = 200;

describeWithService('rabbitmq', 'verify', ({ url }) => {
  const database = freshDatabase();

  /** An exchange with a classic queue and a stream behind it, and a running relay that keeps published ids. */
  const stage = async () => {
    const outbox = await relayOutbox(database.url);
    const [exchange, queue, stream] = [uniqueName('exchange'), uniqueName('queue'), uniqueName('stream')];
    const binding = { exchange, routingKey: 'order.#', exchangeType: 'topic' } as const;
    await declareQueue(url, { queue, binding });
    await declareQueue(url, { queue: stream, type: 'stream', binding });
    const config = outbox.config({
      destinations: { rabbit: { type: 'rabbitmq', url } },
      routes: [{ destination: 'rabbit', exchange, routingKey: 'order.${type}' }],
      published: { retain: '1h' },
    });
    const relay = await startRelay(config);
    await relay.untilState('streaming');
    return { outbox, exchange, queue, stream, config };
  };

  const write = async (outbox: RelayOutbox): Promise<void> => {
    await outbox.admin.query(`INSERT INTO ${outbox.table} (aggregatetype, aggregateid, type, payload)
      SELECT 'order', 'key-' || n % 7, 'created', '{}' FROM generate_series(1, ${ROWS}) n`);
    await outbox.untilEmpty();
  };

  const record = async (outbox: RelayOutbox, exchange: string, position: number, id: string): Promise<void> => {
    const name = quoteTable(companionTables(outbox.name).published);
    await outbox.admin.query(
      `INSERT INTO ${name} (position, id, destination, address, routing_key, key, dead_letter)
       VALUES ($1, $2, 'rabbit', $3, 'order.created', 'key-1', false)`,
      [position, id, exchange],
    );
  };

  const publish = async (exchange: string, ids: readonly string[]): Promise<void> => {
    const connection = await amqp.connect(url);
    const channel = await connection.createConfirmChannel();
    const timestamp = Math.ceil(Date.now() / 1000);
    for (const id of ids) channel.publish(exchange, 'order.created', Buffer.alloc(0), { messageId: id, timestamp });
    await channel.waitForConfirms();
    await connection.close();
  };

  /** What is written from now on is judged. */
  const untilWatching = ({ admin }: RelayOutbox): Promise<unknown> =>
    until(
      async () => {
        const { rowCount } = await admin.query(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE '%verify'
             AND state = 'idle' AND query LIKE '%AS highest%'`,
        );
        return rowCount === 1;
      },
      { what: 'the watching to begin' },
    );

  it('watches what is published, and finds what is missing, swapped, doubled and not from here', async () => {
    const { outbox, exchange, queue, config } = await stage();
    await write(outbox);
    const sound = verify(config, '--for', '2s', '--strict');
    await untilWatching(outbox);
    await write(outbox);
    const { code, destination, found } = await sound;
    expect([code, found]).toEqual([0, SOUND]);
    expect(destination).toMatchObject({ read: [`exchange ${exchange}`], recorded: ROWS, messages: ROWS });

    const tampered = verify(config, '--for', '3s');
    await untilWatching(outbox);
    const [lost, first, second, doubled, unknown] = Array.from({ length: 5 }, () => randomUUID());
    await record(outbox, exchange, 100_000, lost!);
    await record(outbox, exchange, 100_001, first!);
    await record(outbox, exchange, 100_002, second!);
    await record(outbox, exchange, 100_003, doubled!);
    await publish(exchange, [second!, first!, doubled!, doubled!, unknown!]);
    const after = await tampered;
    expect(after.code).toBe(1);
    expect(after.destination.missing?.examples).toMatchObject([{ id: lost, address: `${exchange} order.created` }]);
    expect(after.destination.outOfOrder.examples).toEqual([{ id: first, position: '100001', behind: '100002' }]);
    expect(after.destination.duplicated.examples).toMatchObject([{ id: doubled, copies: 1 }]);
    expect(after.destination.unexpected?.examples).toEqual([unknown]);
    expect(await countMessages(url, queue)).toBe(2 * ROWS + 5);
  });

  it('reads a stream for a window, and refuses a queue whose messages it would take', async () => {
    const { outbox, exchange, queue, stream, config } = await stage();
    await write(outbox);
    const sound = await verify(config, '--queue', stream);
    expect([sound.code, sound.found]).toEqual([0, SOUND]);
    expect(sound.destination).toMatchObject({ read: [`stream ${stream}`], recorded: ROWS, messages: ROWS });

    const [lost, first, second] = Array.from({ length: 3 }, () => randomUUID());
    await record(outbox, exchange, 100_000, lost!);
    await record(outbox, exchange, 100_001, first!);
    await record(outbox, exchange, 100_002, second!);
    await publish(exchange, [second!, first!, second!]);
    const { code, found } = await verify(config, '--queue', stream);
    expect([code, found]).toEqual([1, { missing: 1, outOfOrder: 1, duplicated: 1, unexpected: 0 }]);
    // what is not bound to the stream is not missed there
    expect((await verify(config, '--queue', stream, '--routing-key', 'invoice.#')).found).toMatchObject({ missing: 0 });

    const refused = await outboxRelay('verify', '--config', await configFile(config), '--queue', queue);
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('verify_refused')]);
    expect(await countMessages(url, queue)).toBe(ROWS + 3);
  });
});
