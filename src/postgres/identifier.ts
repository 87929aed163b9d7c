import { createHash } from 'node:crypto';
import { RelayError } from '../core/errors.ts';
import { MAX_IDENTIFIER_BYTES, quoteIdentifier, quoteTable, type TableName } from '../core/identifier.ts';

export { MAX_IDENTIFIER_BYTES, quoteIdentifier, quoteTable, type TableName };

/**
 * Quotes a text constant, right whatever `standard_conforming_strings` says.
 *
 * @throws RelayError `config_invalid` for a text with a NUL, which Postgres cannot hold
 */
export function quoteLiteral(text: string): string {
  if (text.includes('\0')) throw new RelayError('config_invalid', 'a text for Postgres must not contain a NUL');
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return quoted.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

/** Quotes a text constant for a command of the walsender, whose grammar knows no `E''` and no escape but `''`. */
export function quoteReplicationLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** The relay's own tables, beside the outbox table in the same schema. */
export interface CompanionTables {
  /** Marks of the rows that are set aside. */
  readonly parked: TableName;
  /** Who publishes, and since which epoch. */
  readonly lease: TableName;
  /** The ids of rows that were published, where they are kept. */
  readonly published: TableName;
  /** Which migrations have been applied. */
  readonly schemaVersion: TableName;
}

/** The names of the relay's own tables beside `table`; a name that would become too long is cut and told apart by a hash. */
export function companionTables(table: TableName): CompanionTables {
  const beside = (suffix: string): TableName => ({ schema: table.schema, name: derivedName(table.name, suffix) });
  return {
    parked: beside('_parked'),
    lease: beside('_lease'),
    published: beside('_published'),
    schemaVersion: beside('_schema_version'),
  };
}

/** `base` + `suffix`, or where that is over 63 bytes, a prefix of `base`, a hash of all of it, and `suffix`. */
export function derivedName(base: string, suffix: string): string {
  if (Buffer.byteLength(base + suffix) <= MAX_IDENTIFIER_BYTES) return base + suffix;
  const ending = `_${createHash('sha256').update(base).digest('hex').slice(0, 8)}${suffix}`;
  let prefix = base;
  while (Buffer.byteLength(prefix + ending) > MAX_IDENTIFIER_BYTES) prefix = prefix.replace(/.$/su, '');
  return prefix + ending;
}
