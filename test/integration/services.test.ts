import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Producer, stringSerializers } from '@platformatic/kafka';
import amqp from 'amqplib';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TopicReader, headerOf, readTopic } from '../support/kafka-reader.ts';
import { probeKafka, probePostgres, probeRabbitmq } from '../support/probes.ts';
import { declareQueue, drainQueue, takeMessages } from '../support/rabbit-reader.ts';
import {
  describeWithLauncher,
  describeWithService,
  freshDatabase,
  requirePostgres,
  uniqueName,
} from '../support/service.ts';
import { descendants, hasEnded } from '../support/services/child-process.ts';
import { startKafka } from '../support/services/kafka.ts';
import { startPostgres } from '../support/services/postgres.ts';
import { type StartedRabbitmq, startRabbitmq } from '../support/services/rabbitmq.ts';
import { until } from '../support/services/until.ts';

const SECOND = 1000;

function trySending(brokers: readonly string[], topic: string, values: readonly string[]): Promise<unknown> {
  const producer = new Producer({
    clientId: 'test',
    bootstrapBrokers: [...brokers],
    serializers: stringSerializers,
    autocreateTopics: false,
    // Without it the library takes the leader's word alone, whatever `acks` says here.
    idempotent: true,
    retries: false,
  });
  const messages = values.map((value) => ({ topic, key: value, value, headers: { id: `id-${value}` } }));
  // The library may forget a request to a broker that has just gone.
  const forgotten = delay(10 * SECOND, undefined, { ref: false }).then(() => {
    throw new Error('the client gave no answer');
  });
  return Promise.race([producer.send({ messages }), forgotten]).finally(() => void producer.close());
}

/** Again while the cluster has no leader or coordinator yet. */
async function send(brokers: readonly string[], topic: string, values: readonly string[]): Promise<void> {
  await until(() => trySending(brokers, topic, values).then(() => true), {
    what: `the records in ${topic}`,
    timeoutMs: 60 * SECOND,
  });
}

describeWithService('postgres', 'the shared Postgres', () => {
  const database = freshDatabase();

  it('has a database for this file alone, and takes part in logical replication', async () => {
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    const { rows } = await client.query<{ name: string; level: string }>(
      `select current_database() as name, current_setting('wal_level') as level`,
    );
    await client.end();
    expect(rows).toEqual([{ name: database.name, level: 'logical' }]);
    expect(database.url).not.toBe(requirePostgres());
  });
});

describeWithLauncher('postgres', 'an own Postgres', () => {
  it('keeps its data and its port over stop, crash and restart', async () => {
    await using server = await startPostgres();
    await server.query('create table kept as select 1 as a');
    for (const mode of ['smart', 'fast', 'immediate'] as const) {
      await server.stop(mode);
      expect(server.running).toBe(false);
      await expect(probePostgres(server.url)).rejects.toThrow('ECONNREFUSED');
      await server.restart();
      expect(await server.query('select a from kept')).toEqual([{ a: 1 }]);
    }
    await server.kill();
    await server.restart({ work_mem: '1234kB' });
    expect(await server.query(`select a, current_setting('work_mem') as mem from kept`)).toEqual([
      { a: 1, mem: '1234kB' },
    ]);
  });

  it('does not answer while it is paused, and goes on as if nothing had been', async () => {
    await using server = await startPostgres();
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    await server.pause();
    let answered = false;
    const answer = client.query('select 1').then(() => (answered = true));
    const newcomer = new pg.Client({ connectionString: server.url, connectionTimeoutMillis: 300 });
    await expect(newcomer.connect()).rejects.toThrow('timeout');
    expect(answered).toBe(false);
    await server.resume();
    await expect(answer).resolves.toBe(true);
    await client.end();
  });

  it.runIf(process.platform === 'linux')(
    'ends with the process that started it, also when that is killed',
    async () => {
      const launcher = new URL('../support/services/postgres.ts', import.meta.url).href;
      const script = `const { startPostgres } = await import('${launcher}');
      console.log((await startPostgres()).dataDir);
      setInterval(() => {}, 1 << 30);`;
      const starter = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script]);
      const [printed] = (await once(starter.stdout, 'data')) as [Buffer];
      const dataDir = printed.toString().trim();
      const postmaster = Number((await readFile(join(dataDir, 'postmaster.pid'), 'utf8')).split('\n')[0]);
      const server = [postmaster, ...(await descendants(postmaster))];
      expect(server.length).toBeGreaterThan(3);
      starter.kill('SIGKILL');
      await until(async () => (await Promise.all(server.map(hasEnded))).every(Boolean), {
        what: 'the end of the server',
      });
      await rm(dirname(dataDir), { recursive: true });
    },
  );

  it('has a standby that follows it and takes its place', async () => {
    await using server = await startPostgres();
    await server.query('create table followed as select 1 as a');
    await using standby = await server.startStandby();
    expect(await standby.query('select pg_is_in_recovery() as standby, a from followed')).toEqual([
      { standby: true, a: 1 },
    ]);
    await server.kill();
    await standby.promote();
    await standby.query('insert into followed values (2)');
    expect(await standby.query('select a from followed order by a')).toEqual([{ a: 1 }, { a: 2 }]);
  });
});

describeWithService('kafka', 'the shared Kafka', ({ url }) => {
  it('answers, and knows no topic that nobody created', async () => {
    await expect(probeKafka(url)).resolves.toBeUndefined();
    await expect(readTopic(url, uniqueName('unknown'))).rejects.toThrow();
  });
});

describeWithLauncher('kafka', 'an own Kafka', () => {
  it(
    'keeps records over stop, crash and restart, and they are read back whole',
    { timeout: 120 * SECOND },
    async () => {
      await using kafka = await startKafka();
      await kafka.createTopic('kept', { partitions: 3 });
      await send(kafka.brokers, 'kept', ['a', 'b', 'c', 'd']);
      await using reader = new TopicReader({ brokers: kafka.brokers, topic: 'kept' });
      const first = await reader.readToEnd();
      expect(first.map(({ value }) => String(value)).sort()).toEqual(['a', 'b', 'c', 'd']);
      expect(first.every((record) => headerOf(record, 'id') === `id-${String(record.value)}`)).toBe(true);

      await kafka.kill();
      await expect(probeKafka(kafka.brokers.join())).rejects.toThrow();
      await kafka.restart();
      await send(kafka.brokers, 'kept', ['e']);
      const later = await reader.waitFor((records) => records.length >= 5);
      expect(later.map(({ key }) => String(key)).sort()).toEqual(['a', 'b', 'c', 'd', 'e']);

      await kafka.stop();
      await kafka.restart();
      expect(await readTopic(kafka.brokers, 'kept')).toEqual(later);
    },
  );

  it('goes on with two of three brokers', { timeout: 180 * SECOND }, async () => {
    await using kafka = await startKafka({ brokers: 3 });
    await kafka.createTopic('replicated', { partitions: 3 });
    await kafka.kill(0);
    const others = kafka.brokers.slice(1);
    const values = ['a', 'b', 'c', 'd', 'e'];
    // Until the cluster has noticed, producers are sent to the broker that is gone, and store the values only in part.
    await send(others, 'replicated', values);
    const stored = (await readTopic(others, 'replicated')).map(({ value }) => String(value));
    expect(new Set(stored)).toEqual(new Set(values));
    await kafka.restart(0);
    await kafka.stop();
  });
});

describeWithService('rabbitmq', 'the shared RabbitMQ', ({ url }) => {
  it('routes into a queue that is read by count and until it is empty', async () => {
    const queue = uniqueName('queue');
    const exchange = uniqueName('exchange');
    await declareQueue(url, { queue, binding: { exchange, routingKey: 'a.*', exchangeType: 'topic' } });
    const connection = await amqp.connect(url);
    const channel = await connection.createConfirmChannel();
    for (const body of ['1', '2', '3'])
      channel.publish(exchange, 'a.b', Buffer.from(body), { messageId: `id-${body}` });
    await channel.waitForConfirms();
    const taken = await takeMessages(url, queue, 2);
    expect(taken.map(({ content }) => String(content))).toEqual(['1', '2']);
    const rest = await drainQueue(url, queue);
    expect(rest.map(({ properties, routingKey }) => [String(properties.messageId), routingKey])).toEqual([
      ['id-3', 'a.b'],
    ]);
    await expect(takeMessages(url, queue, 1, 100)).rejects.toThrow('1 messages, 0 came');
    await channel.deleteQueue(queue);
    await channel.deleteExchange(exchange);
    await connection.close();
  });
});

describeWithLauncher('rabbitmq', 'an own RabbitMQ', () => {
  let rabbitmq: StartedRabbitmq;

  beforeAll(async () => {
    rabbitmq = await startRabbitmq();
  });

  afterAll(() => rabbitmq.dispose());

  it('obeys policies, alarms and its control program', { timeout: 120 * SECOND }, async () => {
    await rabbitmq.setPolicy('short', { pattern: '^short', definition: { 'max-length': 1 } });
    expect(await rabbitmq.ctl('list_policies')).toContain('max-length');
    await rabbitmq.removePolicy('short');
    await rabbitmq.setMemoryAlarm(true);
    expect(await rabbitmq.ctl('eval', 'rabbit_alarm:get_alarms().')).toContain('memory');
    await rabbitmq.setMemoryAlarm(false);
    expect(await rabbitmq.ctl('eval', 'rabbit_alarm:get_alarms().')).not.toContain('memory');
    expect(() => rabbitmq.tlsUrl).toThrow('without tls');
  });

  it('keeps messages over crash, restart and stop', { timeout: 180 * SECOND }, async () => {
    await declareQueue(rabbitmq.url, { queue: 'kept' });
    const connection = await amqp.connect(rabbitmq.url);
    connection.on('error', () => undefined);
    const channel = await connection.createConfirmChannel();
    channel.on('error', () => undefined);
    channel.sendToQueue('kept', Buffer.from('1'), { persistent: true });
    await channel.waitForConfirms();
    await rabbitmq.kill();
    await expect(probeRabbitmq(rabbitmq.url)).rejects.toThrow('ECONNREFUSED');
    await rabbitmq.restart();
    expect(await drainQueue(rabbitmq.url, 'kept')).toHaveLength(1);
    await rabbitmq.stop();
    await expect(probeRabbitmq(rabbitmq.url)).rejects.toThrow('ECONNREFUSED');
  });
});
