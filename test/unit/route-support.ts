import { columnLayout, type OutboxRow } from '../../src/core/row.ts';
import type { OutboxTable } from '../../src/core/table.ts';
import type { RouteSpec } from '../../src/route/spec.ts';

const DEFAULT_TYPES: Readonly<Record<string, string>> = {
  aggregatetype: 'text',
  aggregateid: 'text',
  type: 'text',
  payload: 'jsonb',
  headers: 'jsonb',
};

/** An outbox table by template name and type; the columns are called as templates call them. */
export function tableOf(types: Readonly<Record<string, string>> = {}): OutboxTable {
  const columns = { ...DEFAULT_TYPES, ...types };
  return {
    schema: 'public',
    name: 'outbox',
    position: { name: 'position', type: 'bigint' },
    id: { name: 'id', type: 'uuid' },
    createdAt: null,
    reads: Object.entries(columns).map(([name, type]) => ({ name, type })),
    layout: columnLayout(Object.keys(columns)),
  };
}

/** A row of the table, as text by template name; columns that are not named are null. */
export function rowOf(table: OutboxTable, values: Readonly<Record<string, string | Buffer | null>>): OutboxRow {
  return {
    position: 17n,
    id: '5f0c1b3e-0000-4000-8000-000000000017',
    values: table.layout.names.map((name) => {
      const value = values[name] ?? null;
      return typeof value === 'string' && name === 'payload' ? Buffer.from(value) : value;
    }),
    lane: 'stream',
    xid: 700,
    since: NaN,
  };
}

/** A route with the defaults of the configuration. */
export function routeOf(spec: Partial<RouteSpec> = {}): RouteSpec {
  return {
    match: {},
    destination: 'kafka',
    address: { kind: 'topic', topic: 'outbox.event.${aggregatetype}' },
    rewrite: null,
    partition: null,
    key: '${aggregateid}',
    headers: {},
    contentType: null,
    cloudEvents: null,
    onError: 'park-key',
    deadLetter: null,
    debezium: null,
    ...spec,
  };
}
