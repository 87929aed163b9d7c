/** What identifies an outbox row in the table: both, since a position alone can be given out a second time. */
export interface RowRef {
  /** The value of the order column. Unique, and in insertion order when its sequence has CACHE 1. */
  readonly position: bigint;
  /** The value of the id column as Postgres prints it: the dedup key, which never changes. */
  readonly id: string;
}

/**
 * A value as Postgres prints it: as text, or, for columns that `staysBytes` tells of, in bytes (a `bytea`: what it holds, not
 * its printed form); null for SQL null.
 */
export type ColumnValue = string | Buffer | null;

/** Which of the two lanes a row came by: the log, or a pass over the table. */
export type Lane = 'stream' | 'table';

/** One committed row of the outbox table, as read by either lane: the same bytes by both. */
export interface OutboxRow extends RowRef {
  /** The columns that the relay reads, in the order of {@link ColumnLayout.names}. */
  readonly values: readonly ColumnValue[];
  readonly lane: Lane;
  /** The 32-bit id of the inserting top-level transaction; null for a row read from the table. */
  readonly xid: number | null;
  /**
   * When the row was committed (stream) or created (table, where the table says so), in milliseconds since 1970 by the
   * database's clock; NaN where it is not known.
   */
  readonly since: number;
}

/** Which columns are read, and where in {@link OutboxRow.values} each of them stands. */
export interface ColumnLayout {
  /**
   * The names that templates use: for mapped columns their role (`aggregatetype`, `aggregateid`, `type`, `payload`,
   * `headers`, `created_at`), for all others the column's own name.
   */
  readonly names: readonly string[];
  /** Index in `names` and in a row's `values`, or -1. */
  indexOf(name: string): number;
}

/** Builds a layout from names in order. */
export function columnLayout(names: readonly string[]): ColumnLayout {
  const index = new Map(names.map((name, at) => [name, at]));
  return { names, indexOf: (name) => index.get(name) ?? -1 };
}
