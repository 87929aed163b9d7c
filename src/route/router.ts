import { RelayError } from '../core/errors.ts';
import type { Address, OutgoingMessage } from '../core/message.ts';
import type { Routed, Router } from '../core/routing.ts';
import type { OutboxRow } from '../core/row.ts';
import type { OutboxTable } from '../core/table.ts';
import { compileAddress } from './address.ts';
import { CloudEventEncoder } from './cloudevents/encoder.ts';
import { rowColumn } from './column.ts';
import type { ConnectFormat } from './debezium/spec.ts';
import { deadLetterMessage } from './dead-letter.ts';
import { compileConnectText } from './debezium/connect-column.ts';
import { DebeziumEncoder } from './debezium/encoder.ts';
import { Encoder, type MessageEncoder, messageBytes } from './encoder.ts';
import { compilePartition } from './partition.ts';
import { compileRules } from './rules.ts';
import type { RouteSpec } from './spec.ts';
import { compileTemplate } from './template.ts';
import { TraceHeaders, type TracingSpec } from './trace-headers.ts';

/** Of a value in a message, so many characters are shown. */
const SHOWN_CHARACTERS = 100;
const NOTHING_KNOWN = { headers: [], trace: null };

interface Route {
  readonly destination: string;
  readonly addressOf: (row: OutboxRow) => Address;
  readonly keyOf: (row: OutboxRow) => string | null;
  readonly partitionOf: ((row: OutboxRow) => number | null) | null;
  readonly encoder: MessageEncoder;
  readonly deadLetterOf: ((row: OutboxRow) => Address) | null;
}

/**
 * Compiles the routes against the table as it is read.
 *
 * @param destinations in the order of the configuration: a row that no route takes is the business of the first
 * @param tracing null: messages are not traced
 * @throws RelayError `config_invalid` when a template is malformed, names a column that is not read, or a destination
 *   that is not there
 */
export function createRouter(
  specs: readonly RouteSpec[],
  table: OutboxTable,
  destinations: readonly string[],
  tracing: TracingSpec | null = null,
): Router {
  const [first] = destinations;
  if (first === undefined) throw new RelayError('config_invalid', 'there is no destination');
  const context = { table, destinations, tracing: tracing === null ? null : new TraceHeaders(tracing, table) };
  const routes = specs.map((spec, index) => compileRoute(spec, context, `routes[${index}]`));
  const choose = compileRules(specs, table);
  const matchColumns = [...new Set(specs.flatMap(({ match }) => Object.keys(match)))];
  const shown = matchColumns.map((name) => rowColumn(table, name, 'routes'));

  const route = (row: OutboxRow): Routed => {
    const index = choose(row);
    const taken = routes[index];
    if (taken === undefined) {
      const values = shown.map(({ name, read }) => `${name} = ${quoted(read(row))}`).join(', ');
      const fault = new RelayError('route_none', `no route takes the row (${values})`);
      const { headers, trace } = routes[0]?.encoder.encodeWhatCan(row) ?? NOTHING_KNOWN;
      return { destination: first, row, message: null, fault, key: null, route: index, headers, trace };
    }
    return routeBy(taken, index, row);
  };

  return {
    route,
    onError: (index) => specs[index]?.onError ?? 'park-key',
    deadLetter: (routed, fault) => deadLetterOf(routes, routed, fault),
  };
}

/** What all routes are compiled against. */
interface RouteContext {
  readonly table: OutboxTable;
  readonly destinations: readonly string[];
  readonly tracing: TraceHeaders | null;
}

function compileRoute(spec: RouteSpec, { table, destinations, tracing }: RouteContext, where: string): Route {
  const { destination, address, key, deadLetter, rewrite, partition, debezium } = spec;
  if (!destinations.includes(destination)) {
    throw new RelayError('config_invalid', `${where} names the destination '${destination}', which is not configured`);
  }
  return {
    destination,
    addressOf: compileAddress(address, table, where, rewrite),
    keyOf: compileKey(key, debezium?.key ?? 'plain', table, `${where}.key`),
    partitionOf: partition === null ? null : compilePartition(partition, table, `${where}.partition`),
    encoder: compileEncoder(spec, { table, tracing }, where),
    deadLetterOf: deadLetter === null ? null : compileAddress(deadLetter, table, `${where}.deadLetter`),
  };
}

function compileEncoder(
  spec: RouteSpec,
  { table, tracing }: Pick<RouteContext, 'table' | 'tracing'>,
  where: string,
): MessageEncoder {
  const { debezium, cloudEvents } = spec;
  if (debezium !== null) return new DebeziumEncoder({ ...spec, debezium }, table, where, tracing);
  const plain = new Encoder(spec, table, where, tracing);
  if (cloudEvents === null) return plain;
  return new CloudEventEncoder(cloudEvents, { plain, table, address: spec.address.kind }, `${where}.cloudEvents`);
}

function compileKey(
  key: string | null,
  format: ConnectFormat,
  table: OutboxTable,
  where: string,
): (row: OutboxRow) => string | null {
  if (key === null) return () => null;
  return format === 'plain' ? compileTemplate(key, table, where).render : compileConnectText(key, format, table, where);
}

function routeBy(route: Route, index: number, row: OutboxRow): Routed {
  let key: string | null = null;
  try {
    key = route.keyOf(row);
    const address = route.addressOf(row);
    const { body, type, contentType, headers, trace, idHeader, copied } = route.encoder.encode(row);
    const bytes = messageBytes(row, headers) + (copied ?? 0);
    const partition = route.partitionOf === null ? null : route.partitionOf(row);
    const plain: OutgoingMessage = {
      row,
      address,
      key,
      body,
      type,
      contentType,
      headers,
      route: index,
      bytes,
      trace,
    };
    // the same shape for all plain messages: they are many
    const message =
      idHeader === undefined && partition === null
        ? plain
        : { ...plain, ...(idHeader !== undefined && { idHeader }), ...(partition !== null && { partition }) };
    return { destination: route.destination, row, message, fault: null };
  } catch (fault) {
    if (!(fault instanceof RelayError)) throw fault;
    const { headers, trace } = route.encoder.encodeWhatCan(row);
    return { destination: route.destination, row, message: null, fault, key, route: index, headers, trace };
  }
}

function deadLetterOf(routes: readonly Route[], routed: Routed, fault: RelayError): OutgoingMessage | null {
  const { row, message } = routed;
  const index = message === null ? routed.route : message.route;
  const route = routes[index];
  const addressOf = route?.deadLetterOf ?? null;
  if (route === undefined || addressOf === null) return null;
  const address = withoutFault(() => addressOf(row));
  if (address === null) return null;
  return deadLetterMessage(address, {
    row,
    contents: message ?? { ...route.encoder.encodeWhatCan(row), ...(routed.headers && { headers: routed.headers }) },
    key: message === null ? routed.key : message.key,
    route: index,
    original: message === null ? withoutFault(() => route.addressOf(row)) : message.address,
    fault,
  });
}

/** The result, or null when the row cannot fill in the templates. */
function withoutFault<Result>(make: () => Result): Result | null {
  try {
    return make();
  } catch (error) {
    if (error instanceof RelayError) return null;
    throw error;
  }
}

function quoted(value: string | null): string {
  return value === null ? 'null' : `'${value.slice(0, SHOWN_CHARACTERS)}'`;
}
