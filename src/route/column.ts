import { RelayError } from '../core/errors.ts';
import type { OutboxRow } from '../core/row.ts';
import type { OutboxTable, TableColumn } from '../core/table.ts';

/** Names by which templates reach what every row carries, whatever columns are read. */
export const ROW_IDENTITY = ['id', 'position'] as const;

/** A column as templates and matches see it: its text. */
export interface RowColumn {
  /** The name that templates use. */
  readonly name: string;
  /** The column of the table behind it. */
  readonly column: TableColumn;
  /** The text that Postgres prints for the row's value (`\x..` for a bytea); null for SQL null. */
  readonly read: (row: OutboxRow) => string | null;
}

/**
 * Finds a column by the name that templates use.
 *
 * @param where the option that names it, for the message
 * @throws RelayError `config_invalid` when the table is not read with such a column
 */
export function rowColumn(table: OutboxTable, name: string, where: string): RowColumn {
  const at = table.layout.indexOf(name);
  const column = table.reads[at];
  if (column !== undefined) return { name, column, read: column.type === 'bytea' ? readHex(at) : readText(at) };
  if (name === 'id') return { name, column: table.id, read: (row) => row.id };
  if (name === 'position') return { name, column: table.position, read: (row) => String(row.position) };
  const known = [...new Set([...table.layout.names, ...ROW_IDENTITY])].sort().join(', ');
  throw new RelayError('config_invalid', `${where} names the column '${name}'; the outbox table has ${known}`);
}

/**
 * A match's value as Postgres prints it for the column: booleans are written `true` and `false`, and printed `t` and `f`.
 */
export function printedValue(column: TableColumn, value: string | null): string | null {
  if (column.type !== 'boolean') return value;
  return value === 'true' ? 't' : value === 'false' ? 'f' : value;
}

function readText(at: number): RowColumn['read'] {
  return (row) => row.values[at]?.toString() ?? null;
}

function readHex(at: number): RowColumn['read'] {
  return (row) => {
    const value = row.values[at] ?? null;
    return value === null || typeof value === 'string' ? value : `\\x${value.toString('hex')}`;
  };
}
