import { describe, expect, it } from 'vitest';
import type { Migration } from '../../src/migrate/debezium/migrate.ts';
import { connect, KAFKA, ROUTER, routeOf, server, subjects, UNTOLD } from './migrate-debezium-support.ts';

describe('a Debezium Server', () => {
  it.each([
    [UNTOLD, { key: 'json-with-schema', value: 'json-with-schema', headers: 'json-with-schema' }],
    [
      `${UNTOLD}debezium.format.schemas.enable=false\ndebezium.format.value.schemas.enable=true`,
      { key: 'json', value: 'json-with-schema', headers: 'json' },
    ],
    [
      `${UNTOLD}debezium.format.key=simplestring\ndebezium.format.value=jsonbytearray\ndebezium.format.header.schemas.enable=FALSE`,
      { key: 'plain', value: 'json-with-schema', headers: 'json' },
    ],
  ])('has schemas unless it is told otherwise', async (text, formats) => {
    const migration = await server(`${text}\n${KAFKA}`);
    expect(migration.ok).toBe(true);
    expect(routeOf(migration)).toMatchObject({ debezium: formats });
  });

  describe('that has schemas and an envelope', () => {
    const enveloped = (options = ''): Promise<Migration> =>
      server(`${UNTOLD}${KAFKA}
debezium.source.topic.prefix=shop
debezium.transforms.outbox.route.by.field=kind
debezium.transforms.outbox.table.fields.additional.placement=type:envelope
${options}`);

    it('has the name of its schema', async () => {
      const migration = await enveloped('debezium.source.topic.delimiter=.');
      expect(migration.ok).toBe(true);
      expect(routeOf(migration)).toMatchObject({
        debezium: {
          value: 'json-with-schema',
          envelope: { type: 'type' },
          envelopeSchema: 'shop.public.outbox.${kind}.Value',
        },
      });
    });

    it.each([
      ['debezium.source.topic.prefix=${NAME}', 'debezium.source.topic.prefix'],
      ['debezium.source.topic.prefix=', 'debezium.source.topic.prefix'],
      ['debezium.source.topic.delimiter=_', 'debezium.source.topic.delimiter'],
      ['debezium.source.schema.name.adjustment.mode=avro', 'debezium.source.schema.name.adjustment.mode'],
      ['debezium.source.table.include.list=public.a b', 'debezium.source.table.include.list'],
      [
        'debezium.transforms.outbox.table.field.event.schema.version=v',
        'debezium.transforms.outbox.table.field.event.schema.version',
      ],
    ])('is stopped by %s, for which the name is not known', async (option, subject) => {
      const migration = await enveloped(option);
      expect(subjects(migration, 'error')).toEqual([subject]);
      expect(migration.findings.find(({ status }) => status === 'error')?.remedy).toContain('debezium.envelopeSchema');
    });
  });
});

describe('a connector of Kafka Connect', () => {
  it('has schemas with JsonConverter, unless it is told otherwise', async () => {
    const converter = 'org.apache.kafka.connect.json.JsonConverter';
    const config = {
      ...ROUTER,
      'producer.override.bootstrap.servers': 'k:1',
      ...{ 'key.converter': converter, 'key.converter.schemas.enable': 'false', 'value.converter': converter },
    };
    expect(routeOf(await connect(config))).toMatchObject({ debezium: { key: 'json', value: 'json-with-schema' } });
    const worker = `key.converter=${converter}\nvalue.converter=${converter}\nvalue.converter.schemas.enable=false`;
    expect(routeOf(await connect(ROUTER, worker))).toMatchObject({
      debezium: { key: 'json-with-schema', value: 'json', headers: 'plain' },
    });
  });
});
