/** Messages of a route with a `debezium` section, for unit tests. */
import type { OutgoingMessage } from '../../src/core/message.ts';
import type { TableColumn } from '../../src/core/table.ts';
import type { DebeziumSpec } from '../../src/route/debezium/spec.ts';
import { createRouter } from '../../src/route/router.ts';
import type { RouteSpec } from '../../src/route/spec.ts';
import { routeOf, rowOf, tableOf } from './route-support.ts';

/** As a configuration has it that says nothing of it. */
export const AS_IT_IS: DebeziumSpec = {
  key: 'plain',
  value: 'plain',
  headers: 'plain',
  expandJson: false,
  expandedNulls: 'omit',
  envelope: {},
  envelopeSchema: null,
  tombstoneOnEmpty: false,
  nullValue: null,
};

/** A row and the route that it takes. */
export interface Given {
  readonly debezium?: Partial<DebeziumSpec>;
  readonly route?: Partial<RouteSpec>;
  readonly types?: Readonly<Record<string, string>>;
  /** What is said of columns besides their type. */
  readonly columns?: Readonly<Record<string, Omit<TableColumn, 'name' | 'type'>>>;
  readonly row?: Readonly<Record<string, string | Buffer | null>>;
}

/** @throws what the route has against the row */
export function debeziumMessageOf({ debezium, route, types = {}, columns = {}, row = {} }: Given): OutgoingMessage {
  const plain = tableOf(types);
  const table = { ...plain, reads: plain.reads.map((column) => ({ ...column, ...columns[column.name] })) };
  const spec = routeOf({ debezium: { ...AS_IT_IS, ...debezium }, ...route });
  const routed = createRouter([spec], table, ['kafka']).route(rowOf(table, row));
  if (routed.message === null) throw routed.fault;
  return routed.message;
}
