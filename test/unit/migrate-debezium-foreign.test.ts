import { describe, expect, it } from 'vitest';
import { readProperties } from '../../src/migrate/debezium/properties-file.ts';
import { connectSettings } from '../../src/migrate/debezium/sources.ts';
import { connect, CONVERTERS, KAFKA, ROUTER, routeOf, server, SERVER, subjects } from './migrate-debezium-support.ts';

const SASL = `${SERVER}${KAFKA}
debezium.sink.kafka.producer.security.protocol=SASL_PLAINTEXT
debezium.sink.kafka.producer.sasl.mechanism=PLAIN
debezium.sink.kafka.producer.sasl.jaas.config=x.PlainLoginModule required `;

describe('files as people have them', () => {
  it.each(['\uFEFF', ''])('begin with the mark of their order of bytes, or not: %j', async (mark) => {
    expect([...readProperties(`${mark}a=b\r\nc=d\r\n`)]).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ]);
    const text = mark + JSON.stringify({ ...ROUTER, ...CONVERTERS });
    expect(connectSettings({ name: 'c.json', text }, []).list('transforms')).toEqual(['o']);
    expect((await server(`${mark}debezium.sink.type=kafka\n${SERVER}`)).config).toMatchObject({
      destinations: { broker: { type: 'kafka' } },
    });
  });

  it('hold keys in PEM form over several lines, which are no settings and are not shown', async () => {
    const pem = '-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQ==\n-----END PRIVATE KEY-----';
    const migration = await server(`${SERVER}${KAFKA}MY_KEY="${pem}"\nother.key=${pem}\nlast=1`);
    expect(JSON.stringify(migration)).not.toMatch(/MIIE|hkiG|END/);
    expect(subjects(migration, 'ok')).toEqual(expect.arrayContaining(['MY_KEY', 'other.key', 'last']));
    expect([...readProperties(`a=${pem.replaceAll('\n', '\\n\\\n')}\nb=c`).keys()]).toEqual(['a', 'b']);
  });
});

describe('expressions of a Debezium Server', () => {
  const topic = 'debezium.transforms.outbox.route.topic.replacement';

  it.each(['$${routedByValue}.events', '\\\\${routedByValue}.events'])(
    'are kept from being one by either escape: %s',
    async (replacement) => {
      const migration = await server(`${SERVER}${KAFKA}${topic}=${replacement}`);
      expect(routeOf(migration)).toMatchObject({ topic: '${aggregatetype}.events' });
    },
  );

  it('within expressions are left to one variable, and said to be', async () => {
    const migration = await server(`${SERVER}${KAFKA}
debezium.source.database.hostname=\${DB_HOST:\${FALLBACK:\${LAST:localhost}}}
debezium.source.database.user=$\${literal}`);
    expect(migration.config).toMatchObject({ postgres: { host: '${DB_HOST}', user: '$${literal}' } });
    expect(subjects(migration, 'warning')).toContain('debezium.source.database.hostname');
    routeOf(migration, { DB_HOST: 'db' });
  });
});

describe('the login of a producer', () => {
  it('comes from variables, whose defaults are not shown', async () => {
    const migration = await server(`${SASL}username="\${KAFKA_USER:me}" password="\${KAFKA_PASS:hunter2}";`);
    expect(migration.config).toMatchObject({
      destinations: { broker: { sasl: { username: '${KAFKA_USER:-me}', password: '${KAFKA_PASS}' } } },
    });
    expect(JSON.stringify(migration)).not.toContain('hunter2');
    routeOf(migration, { KAFKA_PASS: 'x' });
  });

  it('comes from where providers of Kafka Connect have it', async () => {
    const jaas = (value: string): object => ({
      ...{ ...ROUTER, ...CONVERTERS, 'producer.override.security.protocol': 'SASL_SSL' },
      'producer.override.sasl.mechanism': 'SCRAM-SHA-512',
      'producer.override.sasl.jaas.config': value,
    });
    const both = await connect(
      jaas('x.ScramLoginModule required username="${file:/k.properties:user}" password="${dir:/run/kafka:password}";'),
    );
    expect(both.config).toMatchObject({
      destinations: { broker: { sasl: { username: '${KAFKA_USERNAME}', password: '${file:/run/kafka/password}' } } },
    });
    const whole = await connect(jaas('${file:/k.properties:jaas}'));
    expect(whole.config).toMatchObject({
      destinations: { broker: { sasl: { username: '${KAFKA_USERNAME}', password: '${KAFKA_PASSWORD}' } } },
    });
    for (const migration of [both, whole])
      expect(subjects(migration, 'warning')).toContain('producer.override.sasl.jaas.config');
  });

  it('is read in either quotation marks, with its escapes', async () => {
    const migration = await server(`${SASL}username='it\\\\'s me' password=hunter2;`);
    expect(migration.config).toMatchObject({
      destinations: { broker: { sasl: { username: "it's me", password: '${KAFKA_PASSWORD}' } } },
    });
    expect(JSON.stringify(migration)).not.toContain('hunter2');
  });
});

describe('a connector of Kafka Connect as people have it', () => {
  it('has providers of any name, which have no defaults', async () => {
    const migration = await connect({
      ...ROUTER,
      ...CONVERTERS,
      'database.hostname': '${configmaps:kafka/db:host}',
      'database.password': '${aws:shop/db:password}',
    });
    expect(migration.config).toMatchObject({
      postgres: { host: '${SOURCE_DATABASE_HOSTNAME}', password: '${DATABASE_PASSWORD}' },
    });
    expect(subjects(migration, 'warning')).toEqual(expect.arrayContaining(['database.hostname', 'database.password']));
  });

  it('has settings that choose among tables, and those of earlier versions', async () => {
    const config = {
      ...{ ...ROUTER, ...CONVERTERS, 'producer.override.bootstrap.servers': 'k:1' },
      'schema.include.list': 'public',
      'database.server.name': 'shop',
    };
    expect(subjects(await connect(config), 'warning')).toEqual([]);
    const { 'table.include.list': table, ...others } = config;
    const earlier = await connect({ ...others, 'table.whitelist': table });
    expect(earlier).toMatchObject({ ok: true, table: 'public.outbox' });
  });
});

describe('a table that is named', () => {
  it('goes before those of the file, which are said to be left out', async () => {
    const tables = 'debezium.source.table.include.list=public.outbox,public.heartbeat';
    const migration = await server(`${SERVER}${KAFKA}${tables}`, { table: 'public.outbox' });
    expect(migration).toMatchObject({ ok: true, table: 'public.outbox' });
    const [finding] = migration.findings.filter(({ subject }) => subject === 'debezium.source.table.include.list');
    expect(finding).toMatchObject({ status: 'ok' });
  });
});
