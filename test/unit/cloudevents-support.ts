import type { OutgoingMessage } from '../../src/core/message.ts';
import type { OutboxTable } from '../../src/core/table.ts';
import type { CloudEventsSpec } from '../../src/route/cloudevents/spec.ts';
import { createRouter } from '../../src/route/router.ts';
import type { RouteSpec } from '../../src/route/spec.ts';
import type { ConsumedRecord } from '../support/cloudevents.ts';
import { routeOf, rowOf, tableOf } from './route-support.ts';

export type RowValues = Readonly<Record<string, string | Buffer | null>>;

/** A context that a row carries. */
export const EVENT_TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
/** A row that can become an event. */
export const ORDER = {
  aggregatetype: 'order',
  aggregateid: '42',
  type: 'OrderPaid',
  payload: '{"total": 9007199254740993.10}',
};

/** The defaults of the configuration. */
export function eventsOf(spec: Partial<CloudEventsSpec> = {}): CloudEventsSpec {
  return {
    mode: 'binary',
    source: 'https://shop.example/orders',
    type: '${type}',
    subject: '${aggregateid}',
    time: null,
    dataschema: null,
    extensions: {},
    extensionHeaders: {},
    traceContext: true,
    nullPayload: 'event',
    prefix: 'cloudEvents_',
    ...spec,
  };
}

/** Routes a row as a CloudEvent. @throws the row's fault */
export function eventMessage(
  spec: Partial<CloudEventsSpec>,
  values: RowValues,
  { table = tableOf(), route = {} }: { table?: OutboxTable; route?: Partial<RouteSpec> } = {},
): OutgoingMessage {
  const specs = [routeOf({ cloudEvents: eventsOf(spec), ...route })];
  const { message, fault } = createRouter(specs, table, ['kafka']).route(rowOf(table, values));
  if (message === null) throw fault;
  return message;
}

/** The record that goes to Kafka. */
export function kafkaRecord({ row, type, key, headers, body }: OutgoingMessage): ConsumedRecord {
  const own = { id: row.id, ...(type !== null && { type }) };
  return { key: key ?? '', value: body, headers: { ...own, ...Object.fromEntries(headers) } };
}
