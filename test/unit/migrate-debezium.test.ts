import { describe, expect, it } from 'vitest';
import { migrateDebezium, type Migration } from '../../src/migrate/debezium/migrate.ts';
import { readProperties } from '../../src/migrate/debezium/properties-file.ts';
import { connectSettings } from '../../src/migrate/debezium/sources.ts';
import { connect, CONVERTERS, KAFKA, ROUTER, routeOf, SERVER, server, subjects } from './migrate-debezium-support.ts';

describe('properties', () => {
  it('are read as Java reads them', () => {
    const text =
      'a = b\\\n   c\n# d=e\n!f\ng:h i\n\nk\\ l  m\nn=\\u00e9\\t\\\\x\no\nNAME="v w"\nexport OTHER=a\\b\nlast=\\';
    expect([...readProperties(text)]).toEqual([
      ['a', 'bc'],
      ['g', 'h i'],
      ['k l', 'm'],
      ['n', 'é\t\\x'],
      ['o', ''],
      ['NAME', 'v w'],
      ['OTHER', 'a\\b'],
      ['last', ''],
    ]);
  });

  it('of the profile prod go before others, and variables before both', async () => {
    const { config } = await server(`${SERVER}${KAFKA}
%prod.debezium.source.database.hostname=prod.example
%dev.debezium.source.database.hostname=dev.example
debezium.source.database.port=1
DEBEZIUM_SOURCE_DATABASE_PORT=7
DEBEZIUM_SINK_KAFKA_PRODUCER_CLIENT_ID=me`);
    expect(config).toMatchObject({
      postgres: { host: 'prod.example', port: 7 },
      destinations: { broker: { clientId: 'me' } },
    });
  });
});

describe('a Debezium Server', () => {
  it('becomes a configuration, without its secrets', async () => {
    const migration = await server(SERVER + KAFKA);
    expect(migration).toMatchObject({ ok: true, table: 'public.outbox' });
    expect(migration.config).toEqual({
      postgres: { host: 'db.example', port: 5433, database: 'shop', user: 'relay', password: '${DATABASE_PASSWORD}' },
      table: {
        name: 'public.outbox',
        columns: {
          ...{ position: 'position', id: 'id', aggregateid: 'aggregateid', payload: 'payload' },
          ...{ aggregatetype: 'aggregatetype', type: null, headers: null, createdAt: null },
        },
      },
      destinations: { broker: { type: 'kafka', brokers: 'k1:9092,k2:9092' } },
      routes: [
        {
          destination: 'broker',
          topic: 'outbox.event.${aggregatetype}',
          debezium: { key: 'plain', value: 'json', headers: 'json' },
        },
      ],
    });
    routeOf(migration);
    expect(JSON.stringify(migration)).not.toContain('hunter2');
    expect(subjects(migration, 'warning')).toEqual(['debezium.source.database.password']);
    expect(subjects(migration, 'ok')).toContain('debezium.source.slot.name');
  });

  it('keeps what comes from the environment, and a secret from becoming its default', async () => {
    const migration = await server(`${SERVER}${KAFKA}
debezium.source.database.hostname=\${DB_HOST:localhost}
debezium.source.database.password=\${DB_PASSWORD:hunter2}
debezium.source.database.user=\${db.user}`);
    expect(migration.config).toMatchObject({
      postgres: { host: '${DB_HOST:-localhost}', password: '${DB_PASSWORD}', user: '${DB_USER}' },
    });
    expect(subjects(migration, 'warning')).toEqual(['debezium.source.database.user']);
    routeOf(migration, { DB_PASSWORD: 'x', DB_USER: 'u' });
  });

  it('with options of the router becomes columns, headers, envelope and the rest of a route', async () => {
    const migration = await server(`${SERVER}${KAFKA}
debezium.transforms.outbox.table.field.event.id=event_id
debezium.transforms.outbox.table.field.event.key=key
debezium.transforms.outbox.table.field.event.payload=body
debezium.transforms.outbox.table.field.event.timestamp=at
debezium.transforms.outbox.route.by.field=kind
debezium.transforms.outbox.route.topic.replacement=shop.\\\\\${routedByValue}.v1
debezium.transforms.outbox.table.fields.additional.placement=type:header,tenant:header:x-tenant,at:envelope:when,key:envelope,part:partition
debezium.transforms.outbox.table.expand.json.payload=true
debezium.transforms.outbox.table.json.payload.null.behavior=optional_bytes
debezium.transforms.outbox.route.tombstone.on.empty.payload=true
debezium.transforms.outbox.tracing.span.context.field=tracingspancontext`);
    expect(migration.config).toMatchObject({
      table: {
        columns: {
          id: 'event_id',
          aggregateid: 'key',
          payload: 'body',
          aggregatetype: null,
          type: 'type',
          createdAt: 'at',
        },
      },
      tracing: { enabled: true, column: 'tracingspancontext' },
    });
    expect(routeOf(migration)).toEqual({
      destination: 'broker',
      topic: 'shop.${kind}.v1',
      headers: { type: '${type}', 'x-tenant': '${tenant}' },
      debezium: {
        ...{ key: 'plain', value: 'json', headers: 'json', expandJson: true, expandedNulls: 'keep' },
        ...{ envelope: { when: 'created_at', key: 'aggregateid' }, tombstoneOnEmpty: true },
      },
    });
    // the sink of a server has no use for the partition
    expect(subjects(migration, 'warning')).toContain('table.fields.additional.placement');
  });

  it.each([
    ['(?<routedByValue>.*)', 'a.\\${routedByValue}', { topic: 'a.${aggregatetype}' }],
    ['(.*)', '$1', { topic: '${aggregatetype}' }],
    ['shop\\\\.(.*)', 'e.$1', { topic: '${aggregatetype}', rewrite: { pattern: 'shop\\.(.*)', replacement: 'e.$1' } }],
    [
      '(?<a>.+)\\\\-x',
      'e.\\${a}',
      { topic: '${aggregatetype}', rewrite: { pattern: '(?<a>.+)-x', replacement: 'e.$<a>' } },
    ],
  ])('with the topics %s to %s gets them', async (regex, replacement, expected) => {
    const options = `route.topic.regex=${regex}\ndebezium.transforms.outbox.route.topic.replacement=${replacement}`;
    const migration = await server(`${SERVER}${KAFKA}\ndebezium.transforms.outbox.${options}`);
    expect(migration.findings.filter(({ status }) => status === 'error')).toEqual([]);
    expect(routeOf(migration)).toMatchObject(expected);
  });

  it('with RabbitMQ publishes to what its sink says', async () => {
    const rabbitmq = (options: string): Promise<Migration> =>
      server(`${SERVER}
debezium.sink.type=rabbitmq
debezium.sink.rabbitmq.connection.host=r
debezium.sink.rabbitmq.connection.port=5671
debezium.sink.rabbitmq.connection.username=u
debezium.sink.rabbitmq.connection.password=hunter2
debezium.sink.rabbitmq.connection.ssl.enabled=true
debezium.sink.rabbitmq.connection.ssl.verify.hostname=true
debezium.sink.rabbitmq.ackTimeout=5000
${options}`);
    const fixed = await rabbitmq('debezium.sink.rabbitmq.exchange=x\ndebezium.sink.rabbitmq.routingKey=r');
    expect(routeOf(fixed)).toMatchObject({ exchange: 'x', routingKey: 'r', debezium: { nullValue: 'default' } });
    expect(fixed.config).toMatchObject({
      destinations: {
        broker: {
          host: 'r',
          port: 5671,
          user: 'u',
          password: '${RABBITMQ_PASSWORD}',
          tls: { mode: 'verify-full' },
          confirmTimeout: '5000ms',
        },
      },
    });
    const byTopic = await rabbitmq('DEBEZIUM_SINK_RABBITMQ_ROUTINGKEYFROMTOPICNAME=true');
    const topic = 'outbox.event.${aggregatetype}';
    expect(routeOf(byTopic)).toMatchObject({ exchange: topic, routingKey: topic });
    expect((await rabbitmq('debezium.sink.rabbitmq.deliveryMode=1')).ok).toBe(true);
  });

  it.each([
    ['debezium.format.value=avro', 'debezium.format.value'],
    ['debezium.sink.type=pulsar', 'debezium.sink.type'],
    [
      'debezium.transforms=outbox,f\ndebezium.transforms.f.type=io.debezium.transforms.Filter',
      'debezium.transforms.f.type',
    ],
    ['debezium.transforms=', 'debezium.transforms'],
    ['debezium.source.table.include.list=a.b,a.c', 'debezium.source.table.include.list'],
    ['debezium.source.table.include.list=public.outbox.*', 'debezium.source.table.include.list'],
    ['debezium.source.connector.class=io.debezium.connector.mysql.MySqlConnector', 'debezium.source.connector.class'],
    ['debezium.transforms.outbox.route.topic.regex=(?i)(.*)', 'debezium.transforms.outbox.route.topic.regex'],
    [
      'debezium.transforms.outbox.table.fields.additional.placement=a:body',
      'debezium.transforms.outbox.table.fields.additional.placement',
    ],
    [
      'debezium.format.value=simplestring\ndebezium.transforms.outbox.table.expand.json.payload=true',
      'table.expand.json.payload',
    ],
    [
      'debezium.sink.kafka.producer.security.protocol=SSL\ndebezium.sink.kafka.producer.ssl.truststore.location=t.jks',
      'debezium.sink.kafka.producer.ssl.truststore.location',
    ],
    ['debezium.sink.kafka.producer.security.protocol=SASL_SSL', 'sink.kafka.producer.sasl.mechanism'],
    ['quarkus.debezium-outbox.table-name=outbox', 'other.quarkus.debezium-outbox.remove-after-insert'],
    ['QUARKUS_DEBEZIUM_OUTBOX_REMOVE_AFTER_INSERT=true', 'QUARKUS_DEBEZIUM_OUTBOX_REMOVE_AFTER_INSERT'],
  ])('is stopped by %s', async (options, subject) => {
    const migration = await server(`${SERVER}${KAFKA}${options}`);
    expect(migration.ok).toBe(false);
    expect(subjects(migration, 'error')).toContain(subject);
    expect(migration.findings.filter(({ status, remedy }) => status === 'error' && !remedy)).toEqual([]);
  });

  it('is not stopped by an application that leaves its rows', async () => {
    expect((await server(`${SERVER}${KAFKA}quarkus.debezium-outbox.remove-after-insert=false`)).ok).toBe(true);
  });

  it('has a word for every setting, also one that nobody knows', async () => {
    const migration = await server(`${SERVER}${KAFKA}
debezium.source.binary.handling.mode=base64
debezium.source.never.heard.of=1
debezium.sink.kafka.producer.magic=1
debezium.transforms.outbox.magic=1
quarkus.log.level=INFO`);
    expect(subjects(migration, 'warning')).toEqual([
      'debezium.source.database.password',
      'debezium.source.binary.handling.mode',
      'debezium.source.never.heard.of',
      'debezium.sink.kafka.producer.magic',
      'debezium.transforms.outbox.magic',
    ]);
    expect(subjects(migration, 'ok')).toContain('quarkus.log.level');
  });
});

describe('what the database tells', () => {
  const look = (inserted: number, deleted: number, empty: boolean) =>
    server(SERVER + KAFKA, { traffic: () => Promise.resolve({ inserted, deleted, empty }) });

  it('stops where rows are deleted, and warns where nothing was inserted yet', async () => {
    const stopped = await look(1000, 1000, true);
    expect([stopped.ok, subjects(stopped, 'error')]).toEqual([false, ['table public.outbox']]);
    expect(stopped.findings.at(-1)?.remedy).toContain('quarkus.debezium-outbox.remove-after-insert=false');
    expect(subjects(await look(0, 0, true), 'warning')).toContain('table public.outbox');
    expect((await look(1000, 3, false)).ok).toBe(true);
  });
});

describe('a connector of Kafka Connect', () => {
  it('is read with or without its name, and keeps the partition', async () => {
    const config = { ...ROUTER, ...CONVERTERS, 'transforms.o.table.fields.additional.placement': 'part:partition' };
    const migration = await connect(config, 'bootstrap.servers=k:9092\nvalue.converter.schemas.enable=true');
    expect(routeOf(migration)).toMatchObject({
      partition: '${part}',
      debezium: { key: 'plain', value: 'plain', headers: 'plain' },
    });
    expect(migration.config).toMatchObject({ destinations: { broker: { brokers: 'k:9092' } } });
    const settings = connectSettings({ name: 'c', text: JSON.stringify({ ...config, name: 'outbox' }) }, []);
    expect((await migrateDebezium({ runtime: 'connect', settings, traffic: null })).ok).toBe(true);
  });

  it('has a word for the converter behind one for bytes', async () => {
    const delegate = 'value.converter.delegate.converter.type';
    const json = { [delegate]: 'x.JsonConverter', [`${delegate}.schemas.enable`]: 'false' };
    expect(subjects(await connect({ ...ROUTER, ...CONVERTERS, ...json }), 'warning')).toContain(delegate);
  });

  it("has the worker's converters where it names none, and is stopped where nobody does", async () => {
    const worker =
      'key.converter=org.apache.kafka.connect.json.JsonConverter\nkey.converter.schemas.enable=false\nvalue.converter=org.apache.kafka.connect.storage.StringConverter';
    expect(routeOf(await connect(ROUTER, worker))).toMatchObject({ debezium: { key: 'json', value: 'plain' } });
    expect(subjects(await connect(ROUTER), 'error')).toEqual(['key.converter', 'value.converter']);
  });

  it('takes secrets from where its providers do, and never in clear', async () => {
    const migration = await connect({
      ...ROUTER,
      ...CONVERTERS,
      'database.password': '${dir:/run/secrets:password}',
      'producer.override.bootstrap.servers': 'k:1',
      'producer.override.security.protocol': 'SASL_SSL',
      'producer.override.sasl.mechanism': 'SCRAM-SHA-512',
      'producer.override.sasl.jaas.config': 'x.ScramLoginModule required username="me" password="hunter2";',
    });
    expect(migration.config).toMatchObject({
      postgres: { password: '${file:/run/secrets/password}' },
      destinations: {
        broker: {
          tls: { mode: 'verify-full' },
          sasl: { mechanism: 'SCRAM-SHA-512', username: 'me', password: '${KAFKA_PASSWORD}' },
        },
      },
    });
    expect(JSON.stringify(migration)).not.toContain('hunter2');
  });

  it('is refused when it is none, without a word of what it holds', () => {
    const read = (text: string) => () => connectSettings({ name: 'c.json', text }, []);
    expect(read('{"password": "hunter2"')).toThrow('c.json is not valid JSON');
    expect(read('{"password": "hunter2"}')).toThrow(/^c.json is not a connector(?!.*hunter2)/);
  });
});
