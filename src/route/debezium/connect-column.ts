import type { OutboxRow } from '../../core/row.ts';
import type { OutboxTable } from '../../core/table.ts';
import { rowColumn } from '../column.ts';
import { compileTemplate } from '../template.ts';
import { readDefault } from './column-default.ts';
import { columnSchema, type ConnectSchema, TEXT_SCHEMA, withSchema } from './connect-schema.ts';
import { compileConnectValue, type ConnectValue } from './connect-value.ts';
import { jacksonString } from './java-text.ts';
import type { ConnectFormat } from './spec.ts';

/** A template in the form of a converter; null where there is no value, and the format has none for that. */
export type ConnectText = (row: OutboxRow) => string | null;

/** A column as a converter sees it. */
export interface ConnectColumn {
  /** Of the database. */
  readonly name: string;
  /** The column's default as Debezium reads it and Postgres prints it, which Debezium puts in the place of null; null: none. */
  readonly byDefault: string | null;
  /** Null where there is neither a value nor a default. */
  readonly valueOf: (row: OutboxRow) => ConnectValue | null;
  /** Empty for a format without schemas. */
  readonly schema: ConnectSchema;
}

/**
 * Finds a column and compiles it for a converter.
 *
 * @param where the option that names it, for messages
 * @throws RelayError `config_invalid`: there is no such column, or it is to have a schema that is not known
 */
export function connectColumn(name: string, format: ConnectFormat, table: OutboxTable, where: string): ConnectColumn {
  const { column, read } = rowColumn(table, name, where);
  const schema = format === 'json-with-schema' ? columnSchema(column, where) : '';
  const byDefault = readDefault(column) ?? null;
  const convert = compileConnectValue(column);
  const valueOf = (row: OutboxRow): ConnectValue | null => {
    const printed = read(row) ?? byDefault;
    return printed === null ? null : convert(printed);
  };
  return { name: column.name, byDefault, valueOf, schema };
}

/**
 * Compiles a template for a converter: a template of a single column is that column with its type, all others are texts.
 *
 * @param where the option it stands in, for messages
 * @throws RelayError `config_invalid`
 */
export function compileConnectText(
  template: string,
  format: ConnectFormat,
  table: OutboxTable,
  where: string,
): ConnectText {
  const { soleColumn, render } = compileTemplate(template, table, where);
  if (soleColumn !== null) return columnText(soleColumn, format, table, where);
  if (format === 'plain') return render;
  return (row) => {
    const json = jacksonString(render(row) ?? '');
    return format === 'json' ? json : withSchema(TEXT_SCHEMA, json);
  };
}

function columnText(name: string, format: ConnectFormat, table: OutboxTable, where: string): ConnectText {
  const { valueOf, schema } = connectColumn(name, format, table, where);
  switch (format) {
    case 'plain':
      return (row) => valueOf(row)?.text ?? null;
    case 'json':
      return (row) => valueOf(row)?.json ?? 'null';
    case 'json-with-schema':
      return (row) => withSchema(schema, valueOf(row)?.json ?? 'null');
  }
}
