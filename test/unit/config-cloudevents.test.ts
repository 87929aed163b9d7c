import { describe, expect, it } from 'vitest';
import type { Config } from '../../src/config/index.ts';
import { failure, load, POSTGRES } from './config-support.ts';

const KAFKA = 'destinations: { out: { type: kafka, brokers: "k:9092" } }\n';
const RABBITMQ = 'destinations: { out: { type: rabbitmq, url: "amqp://r" } }\n';

function yaml(events: string, { destinations = KAFKA, route = '', more = '' } = {}): string {
  return `${POSTGRES}${destinations}${more}routes: [{ destination: out, ${route} cloudEvents: { ${events} } }]\n`;
}

const eventsOf = (config: Config): unknown => config.routes[0]?.cloudEvents;

describe('cloudEvents of a route', () => {
  it('are off, and need no more than a source', () => {
    expect(load(`${POSTGRES}${KAFKA}`).routes[0]?.cloudEvents).toBeNull();
    const config = load(yaml('source: /orders'));
    expect(eventsOf(config)).toEqual({
      mode: 'binary',
      source: '/orders',
      type: '${type}',
      subject: '${aggregateid}',
      time: '${created_at}',
      dataschema: null,
      extensions: {},
      extensionHeaders: {},
      traceContext: true,
      nullPayload: 'event',
      prefix: 'cloudEvents_',
    });
    expect(config.warnings).toEqual([]);
  });

  it('have no time by default where the table has none', () => {
    const more = 'table: { columns: { createdAt: null } }\n';
    expect(eventsOf(load(yaml('source: /orders', { more })))).toMatchObject({ time: null });
  });

  it.each([
    'https://shop.example:8443/${aggregatetype}/',
    'urn:shop:${aggregatetype}',
    '${tenant}',
    '/orders/${tenant}',
    'https://${tenant}.example:${port}/x',
  ])('take the source %s', (source) => {
    expect(eventsOf(load(yaml(`source: "${source}"`)))).toMatchObject({ source });
  });

  it('take extensions of all types', () => {
    const config = load(yaml('source: /o, extensions: { partitionkey: "${aggregateid}", sampled: true, shard: 3 }'));
    expect(eventsOf(config)).toMatchObject({ extensions: { partitionkey: '${aggregateid}', sampled: true, shard: 3 } });
  });

  it.each([
    ['', 'cloudEvents.source', /is missing/],
    ['source: ""', 'cloudEvents.source', /URI/],
    ['source: "two words"', 'cloudEvents.source', /URI/],
    ['source: "/orders/${"', 'cloudEvents.source', /not closed/],
    ['source: /o, type: ""', 'cloudEvents.type', /not an empty text/],
    ['source: /o, mode: batch', 'cloudEvents.mode', /binary or structured/],
    ['source: /o, dataschema: "orders/v1"', 'cloudEvents.dataschema', /a URI/],
    [
      'source: /o, extensions: { partitionKey: x }',
      'cloudEvents.extensions.partitionKey',
      /lower-case letters and digits/,
    ],
    ['source: /o, extensions: { my-key: x }', 'cloudEvents.extensions.my-key', /lower-case letters and digits/],
    ['source: /o, extensions: { data: x }', 'cloudEvents.extensions.data', /'data'/],
    ['source: /o, extensions: { subject: x }', 'cloudEvents.extensions.subject', /of CloudEvents itself/],
    ['source: /o, extensions: { x: 1.5 }', 'cloudEvents.extensions.x', /32 bits/],
    ['source: /o, extensions: { x: 4294967296 }', 'cloudEvents.extensions.x', /32 bits/],
    ['source: /o, extensionHeaders: { Tenant: x }', 'cloudEvents.extensionHeaders.Tenant', /lower-case/],
    ['source: /o, extensions: { x: y }, extensionHeaders: { x: y }', 'cloudEvents.extensionHeaders.x', /one place/],
    ['source: /o, extensions: { traceparent: x }', 'cloudEvents.extensions.traceparent', /traceContext: false/],
    ['source: /o, prefix: "ce-"', 'cloudEvents.prefix', /is for RabbitMQ/],
    ['source: /o, unknown: 1', 'cloudEvents.unknown', /unknown option/],
  ])('refuse { %s }', (events, option, message) => {
    const text = failure(yaml(events));
    expect(text).toContain(`routes[0].${option}`);
    expect(text).toMatch(message);
  });

  it.each([
    ['contentType: application/cloudevents+json,', 'contentType', KAFKA],
    ['contentType: json,', 'contentType', KAFKA],
    ['debezium: {},', 'cloudEvents', KAFKA],
    ['headers: { ce_source: x },', 'headers.ce_source', KAFKA],
    ['headers: { Content-Type: x },', 'headers.Content-Type', KAFKA],
    ['headers: { "cloudEvents:type": x },', 'headers.cloudEvents:type', RABBITMQ],
  ])('refuse a route with %s', (route, option, destinations) => {
    expect(failure(yaml('source: /o', { route, destinations }))).toContain(`routes[0].${option}`);
  });

  it('refuse columns that the table does not have', () => {
    const more = 'table: { columns: { type: null, createdAt: null } }\n';
    const text = failure(yaml('source: /o, time: "${created_at}", extensions: { x: "${type}" }', { more }));
    for (const option of ['type', 'time', 'extensions.x']) expect(text).toContain(`routes[0].cloudEvents.${option}`);
  });

  it('take any prefix with RabbitMQ', () => {
    expect(eventsOf(load(yaml('source: /o, prefix: "cloudEvents:"', { destinations: RABBITMQ })))).toMatchObject({
      prefix: 'cloudEvents:',
    });
  });

  it('warn of names that are advised against, and of an option that does nothing', () => {
    const extensions = 'extensions: { 1st: x }, extensionHeaders: { anameoftwentyoneletters: x }';
    const { warnings } = load(yaml(`source: /o, ${extensions}, nullPayload: tombstone`));
    expect(warnings).toEqual([
      "routes[0].cloudEvents.extensions: '1st' does not begin with a letter, which CloudEvents advises against",
      "routes[0].cloudEvents.extensionHeaders: 'anameoftwentyoneletters' is longer than 20 characters, which CloudEvents advises against",
      'routes[0].cloudEvents.nullPayload has no effect: in binary mode a null payload always is a tombstone',
    ]);
  });
});
