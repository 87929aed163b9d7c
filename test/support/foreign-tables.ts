/** How frameworks fill the tables of docs/foreign-tables.md, and what is to arrive. */

/** A message as it is to arrive; of its headers those that are named. */
export interface ArrivingMessage {
  readonly topic: string;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** A table that a framework makes, under its heading in docs/foreign-tables.md. */
export interface ForeignTable {
  readonly heading: string;
  /** The topic, where the mapping fixes it; left out: the rows name it. */
  readonly topic?: string;
  /** What the framework does with one or more events. @param lane tells events of one test apart */
  readonly insert: (topic: string, lane: string) => string;
  readonly arrives: (topic: string, lane: string) => readonly ArrivingMessage[];
  /** Whether the messages are CloudEvents, for the official SDK to read. */
  readonly cloudEvents?: true;
}

const ID = { table: '00000000-0000-4000-8000-00000000000a', stream: '00000000-0000-4000-8000-00000000000b' };
const idOf = (lane: string): string => (lane === 'stream' ? ID.stream : ID.table);
const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

export const FOREIGN_TABLES: readonly ForeignTable[] = [
  {
    heading: 'Debezium and Quarkus',
    insert: (topic, lane) =>
      `INSERT INTO OutboxEvent (id, aggregatetype, aggregateid, type, timestamp, payload)
       VALUES ('${idOf(lane)}', '${topic}', '42', 'OrderCreated', '2026-11-23 21:12:05.123', '{"lane": "${lane}"}'),
              (gen_random_uuid(), '${topic}', '43', 'OrderDeleted', now() AT TIME ZONE 'UTC', NULL)`,
    arrives: (topic, lane) => [
      {
        topic: `outbox.event.${topic}`,
        key: '42',
        value: `{"lane": "${lane}"}`,
        headers: { id: idOf(lane), type: 'OrderCreated' },
      },
      { topic: `outbox.event.${topic}`, key: '43', value: null, headers: { type: 'OrderDeleted' } },
    ],
  },
  {
    heading: 'MassTransit (Entity Framework, bus outbox)',
    topic: 'masstransit.messages',
    insert: (_, lane) =>
      `BEGIN;
       INSERT INTO "OutboxState" ("OutboxId", "LockId", "Created") VALUES ('${idOf(lane)}', gen_random_uuid(), now());
       INSERT INTO "OutboxMessage" ("Body", "ContentType", "ConversationId", "CorrelationId", "DestinationAddress", "Headers", "MessageId", "MessageType",
         "OutboxId", "Properties", "SentTime", "SourceAddress")
       VALUES ('{"messageId":"${idOf(lane)}","messageType":["urn:message:Shop:OrderSubmitted"],"message":{"lane":"${lane}"}}',
         'application/vnd.masstransit+json', '${idOf(lane)}', '${idOf(lane)}', 'rabbitmq://localhost/Shop:OrderSubmitted', '{"x-tenant":"acme"}', '${idOf(lane)}',
         'urn:message:Shop:OrderSubmitted', '${idOf(lane)}', NULL, now(), 'rabbitmq://localhost/api');
       COMMIT`,
    arrives: (topic, lane) => [
      {
        topic,
        key: idOf(lane),
        value: `{"messageId":"${idOf(lane)}","messageType":["urn:message:Shop:OrderSubmitted"],"message":{"lane":"${lane}"}}`,
        headers: {
          id: idOf(lane),
          type: 'urn:message:Shop:OrderSubmitted',
          'x-tenant': 'acme',
          'content-type': 'application/vnd.masstransit+json',
          'conversation-id': idOf(lane),
          'destination-address': 'rabbitmq://localhost/Shop:OrderSubmitted',
        },
      },
    ],
  },
  {
    heading: 'Brighter',
    cloudEvents: true,
    insert: (topic, lane) =>
      `INSERT INTO brighter_outbox ("messageid","messagetype","topic","timestamp","correlationid","replyto","contenttype","partitionkey","headerbag","body",
         "source","type","dataschema","subject","traceparent","tracestate","baggage","workflowid","jobid")
       VALUES ('${idOf(lane)}', 'MT_EVENT', '${topic}', '2026-11-23 21:12:05.5+01', '', '', 'application/json', 'customer-1', '{"region":"eu"}',
         '{"lane":"${lane}"}', 'http://goparamore.io', 'greeting.made', NULL, 'greeting', '${TRACEPARENT}', '', NULL, NULL, NULL)`,
    arrives: (topic, lane) => [
      {
        topic,
        key: 'customer-1',
        value: `{"lane":"${lane}"}`,
        headers: {
          region: 'eu',
          ce_id: idOf(lane),
          ce_source: 'http://goparamore.io',
          ce_type: 'greeting.made',
          ce_subject: 'greeting',
          ce_time: '2026-11-23T20:12:05.5Z',
          ce_traceparent: TRACEPARENT,
        },
      },
    ],
  },
  {
    heading: 'Watermill (SQL publisher)',
    topic: 'watermill.orders',
    insert: (_, lane) =>
      `INSERT INTO "watermill_orders" (uuid, payload, metadata, transaction_id)
       VALUES ('${idOf(lane)}', '{"n":  1, "lane": "${lane}"}', '{"partition_key":"42","correlation_id":"c-1"}', pg_current_xact_id()),
              (gen_random_uuid()::text, '[2]', '{}', pg_current_xact_id())`,
    arrives: (topic, lane) => [
      {
        topic,
        key: '42',
        value: `{"n":  1, "lane": "${lane}"}`,
        headers: { id: idOf(lane), partition_key: '42', correlation_id: 'c-1' },
      },
      { topic, key: null, value: '[2]', headers: {} },
    ],
  },
  {
    heading: 'Eventuate Tram',
    insert: (topic, lane) =>
      `INSERT INTO eventuate.message (id, destination, headers, payload, creation_time, published)
       VALUES ('0000018b-${lane}', '${topic}', '{"PARTITION_ID":"42","event-aggregate-type":"${topic}","ID":"0000018b-${lane}","DATE":"Mon, 23 Nov 2026 21:12:05 GMT"}',
         '{"lane":"${lane}"}', 1795468325123, 0)`,
    arrives: (topic, lane) => [
      {
        topic,
        key: '42',
        value: `{"lane":"${lane}"}`,
        headers: { id: `0000018b-${lane}`, PARTITION_ID: '42', 'event-aggregate-type': topic },
      },
    ],
  },
  {
    heading: 'pg-transactional-outbox',
    insert: (topic, lane) =>
      `INSERT INTO outbox_schema.outbox (id, aggregate_type, aggregate_id, message_type, segment, payload, metadata)
       VALUES ('${idOf(lane)}', '${topic}', '42', 'movie_created', NULL, '{"lane": "${lane}"}', '{"routingKey": "movies", "retries": 3}')`,
    arrives: (topic, lane) => [
      {
        topic,
        key: '42',
        value: `{"lane": "${lane}"}`,
        headers: { id: idOf(lane), type: 'movie_created', routingKey: 'movies', retries: '3' },
      },
    ],
  },
  {
    heading: 'Rails (active_outbox, rails_outbox)',
    insert: (topic, lane) =>
      `INSERT INTO "outboxes" ("identifier", "event", "payload", "aggregate", "aggregate_identifier", "created_at", "updated_at")
       VALUES ('${idOf(lane)}', 'USER_CREATED', '{"before":null,"after":{"lane":"${lane}"}}', '${topic}', '${ID.table}', '2026-11-23 21:12:05.123456', '2026-11-23 21:12:05.123456')
       RETURNING "id"`,
    arrives: (topic, lane) => [
      {
        topic: `rails.${topic}`,
        key: ID.table,
        value: `{"after": {"lane": "${lane}"}, "before": null}`,
        headers: { id: idOf(lane), type: 'USER_CREATED' },
      },
    ],
  },
  {
    heading: 'Django (django-outbox-pattern)',
    insert: (topic, lane) =>
      `INSERT INTO "published" ("id", "version", "destination", "body", "added", "expires_at", "retry", "status", "headers")
       VALUES ('${idOf(lane)}'::uuid, NULL, '${topic}', '{"lane": "${lane}"}', now(), now() + interval '1 day', 0, 1,
         '{"dop-msg-id": "${idOf(lane)}", "dop-key": "42"}')`,
    arrives: (topic, lane) => [
      {
        topic,
        key: '42',
        value: `{"lane": "${lane}"}`,
        headers: { id: idOf(lane), 'dop-msg-id': idOf(lane), 'dop-key': '42' },
      },
    ],
  },
  {
    heading: 'Laravel',
    insert: (topic, lane) =>
      `INSERT INTO "laravel_outbox_events" ("id", "type", "payload", "aggregate_type", "aggregate_id")
       VALUES ('${idOf(lane)}', '${topic}', '{"lane":"${lane}"}', 'order', '42'), (gen_random_uuid(), '${topic}', '{}', NULL, NULL)`,
    arrives: (topic, lane) => [
      { topic, key: '42', value: `{"lane":"${lane}"}`, headers: { id: idOf(lane), type: topic } },
      { topic, key: null, value: '{}', headers: { type: topic } },
    ],
  },
  {
    heading: 'TypeORM, Prisma, Drizzle: camel case, enums, domains',
    insert: (topic, lane) =>
      `INSERT INTO "OutboxEvents" ("eventId", "topicName", "aggregateType", "aggregateId", "payload")
       VALUES ('e-1-${lane}', '${topic}', 'Order', '42', '{"a":1.0}'), ('e-2-${lane}', '${topic}', 'Invoice', '7', 'null')`,
    arrives: (topic, lane) => [
      { topic, key: '42', value: '{"a":1.0}', headers: { id: `e-1-${lane}`, status: 'PENDING' } },
      { topic: `${topic}.invoices`, key: '7', value: 'null', headers: { id: `e-2-${lane}` } },
    ],
  },
  {
    heading: 'Partitioned tables',
    insert: (topic, lane) =>
      `INSERT INTO outbox_by_month (id, created_at, topic, metadata, payload)
       VALUES ('${idOf(lane)}', '2026-05-31', '${topic}', '{"h": true}', '{"lane": "${lane}"}'), (gen_random_uuid(), '2026-06-01', '${topic}', NULL, '[]')`,
    arrives: (topic, lane) => [
      { topic, key: topic, value: `{"lane": "${lane}"}`, headers: { id: idOf(lane), h: 'true' } },
      { topic, key: topic, value: '[]', headers: {} },
    ],
  },
];
