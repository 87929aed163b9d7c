import type { TableColumn } from '../core/table.ts';
import { quoteIdentifier } from './identifier.ts';

/** Types whose cast to text is their output function, as `format_type()` prints them, without modifiers. */
const CAST_IS_OUTPUT = new Set([
  'text',
  'character varying',
  'name',
  'json',
  'jsonb',
  'uuid',
  'smallint',
  'integer',
  'bigint',
  'numeric',
  'real',
  'double precision',
  'oid',
  'date',
  'time without time zone',
  'time with time zone',
  'timestamp without time zone',
  'timestamp with time zone',
  'interval',
]);

/** Types whose binary form is their text (and `bytea`, of which we want the bytes): nothing to convert. */
const BINARY_IS_OUTPUT = new Set(['bytea', 'text', 'character varying', 'character', 'json']);

/** `numeric(10,2)` -> `numeric`, `timestamp(3) with time zone` -> `timestamp with time zone`. */
export function bareType(type: string): string {
  return type.replace(/\(-?\d+(,-?\d+)?\)/, '');
}

/**
 * An expression of type text that gives exactly what the type's output function prints, hence what the log carries:
 * not so a cast of boolean (`true` for `t`), character (padding lost), inet, or of a type with a cast of its own.
 *
 * @param alias of the outbox table in the statement
 */
export function textExpression(column: TableColumn, alias = 'o'): string {
  const value = columnReference(column, alias);
  if (CAST_IS_OUTPUT.has(bareType(column.type))) return `${value}::text`;
  // num_nulls, since IS NULL holds for a composite value of nulls too, and format() prints a null as ''.
  return `CASE WHEN num_nulls(${value}) = 0 THEN format('%s', ${value}) END`;
}

/** An expression whose binary form is the column's text, or for a `bytea` column its bytes. */
export function binaryExpression(column: TableColumn, alias = 'o'): string {
  return BINARY_IS_OUTPUT.has(bareType(column.type)) ? columnReference(column, alias) : textExpression(column, alias);
}

/** `o."name"`. */
export function columnReference(column: TableColumn, alias = 'o'): string {
  return `${alias}.${quoteIdentifier(column.name)}`;
}
