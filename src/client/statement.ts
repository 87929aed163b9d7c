import { quoteIdentifier } from '../core/identifier.ts';
import { type OutboxSettings, type PayloadKind, plainColumns } from './options.ts';

/** The name under which `ids: 'database'` gives ids out. */
export const ID_RESULT = 'id';

/** What makes the payload column's value of a message. A column of another kind is then an error of the database. */
const PAYLOAD_EXPRESSIONS: Readonly<Record<PayloadKind, string>> = {
  json: `given.message -> 'payload'`,
  text: `given.message ->> 'payload'`,
  bytea: `decode(given.message ->> 'payload', 'base64')`,
};

/**
 * The statement that writes messages, one or thousands, given to it as a single parameter: a JSON array of objects with
 * `columns` and `payload`. One text for all batches; no driver has to know the types of the columns, or how arrays are
 * written: `json_populate_record` reads each value as its column's type does.
 *
 * Positions are given out in the order of the array: an INSERT takes the column's default after its SELECT is sorted.
 */
export function insertStatement(settings: OutboxSettings): string {
  const names = plainColumns(settings).map(quoteIdentifier);
  const { table, columns, payload, ids } = settings;
  const values = [...names.map((name) => `row.${name}`), PAYLOAD_EXPRESSIONS[payload]];
  return `INSERT INTO ${table} (${[...names, quoteIdentifier(columns.payload)].join(', ')})
SELECT ${values.join(', ')}
FROM json_array_elements($1::text::json) WITH ORDINALITY AS given (message, place)
CROSS JOIN LATERAL json_populate_record(NULL::${table}, given.message -> 'columns') AS row
ORDER BY given.place${ids === 'database' ? `\nRETURNING ${quoteIdentifier(columns.id)}::text AS ${ID_RESULT}` : ''}`;
}
