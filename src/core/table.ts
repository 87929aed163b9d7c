import type { ColumnLayout } from './row.ts';

/** A column of the outbox table: its exact name (unquoted) and its type as `format_type()` prints it, e.g. `uuid`. */
export interface TableColumn {
  readonly name: string;
  readonly type: string;
  /** NOT NULL. @default false */
  readonly notNull?: boolean;
  /** The DEFAULT as `pg_get_expr()` prints it; absent where there is none. */
  readonly defaultExpression?: string;
}

/** The outbox table as configured and as found in the catalog: all that the two lanes need to read it. */
export interface OutboxTable {
  readonly schema: string;
  readonly name: string;
  readonly position: TableColumn;
  readonly id: TableColumn;
  /** The timestamp column that lag is measured by in the table lane; null when the table has none. */
  readonly createdAt: TableColumn | null;
  /** The columns whose values a row carries, in the order of `layout.names`. */
  readonly reads: readonly TableColumn[];
  readonly layout: ColumnLayout;
}

/**
 * Which of the columns that are read stay bytes all the way: the payload, which is published as it is, and each `bytea`. The
 * others are wanted as text, for keys, addresses and headers.
 */
export function staysBytes({ reads, layout }: Pick<OutboxTable, 'reads' | 'layout'>): readonly boolean[] {
  const payload = layout.indexOf('payload');
  return reads.map(({ type }, at) => at === payload || type === 'bytea');
}
