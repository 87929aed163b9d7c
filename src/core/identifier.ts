import { RelayError } from './errors.ts';

/** A table by its exact, unquoted names. */
export interface TableName {
  readonly schema: string;
  readonly name: string;
}

/** Postgres cuts longer names off silently (NAMEDATALEN - 1), and then means another object. In bytes. */
export const MAX_IDENTIFIER_BYTES = 63;

/**
 * Quotes a name for use in a statement.
 *
 * @throws RelayError `config_invalid` for a name that Postgres cannot hold: empty, over 63 bytes, or with a NUL
 */
export function quoteIdentifier(name: string): string {
  if (name === '' || name.includes('\0') || Buffer.byteLength(name) > MAX_IDENTIFIER_BYTES)
    throw new RelayError(
      'config_invalid',
      `'${name.replaceAll('\0', '\\0')}' cannot be the name of anything in Postgres`,
      { remedy: `Use a name of 1 to ${MAX_IDENTIFIER_BYTES} bytes.` },
    );
  return `"${name.replaceAll('"', '""')}"`;
}

/** `"schema"."name"`. @throws RelayError as {@link quoteIdentifier} */
export function quoteTable(table: TableName): string {
  return `${quoteIdentifier(table.schema)}.${quoteIdentifier(table.name)}`;
}
