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

/** A statement with a single parameter, which is a text. */
export interface OutboxStatement {
  /** With `$1` for the parameter, as Postgres has it. */
  readonly text: string;
  /** What stands in front of the parameter and behind it, for libraries that write parameters otherwise. */
  readonly around: readonly [before: string, after: string];
}

/**
 * The statement that writes messages, one or thousands, its parameter a JSON array of objects with
 * `columns` and `payload`. One text for all batches; no driver has to know the types of the columns, or how arrays are
 * written: `json_populate_record` reads each value as its column's type does.
 *
 * Positions are given out in the order of the array: an INSERT takes the column's default after its SELECT is sorted.
 */
export function insertStatement(settings: OutboxSettings): OutboxStatement {
  const names = plainColumns(settings).map(quoteIdentifier);
  const { table, columns, payload, ids } = settings;
  const values = [...names.map((name) => `row.${name}`), PAYLOAD_EXPRESSIONS[payload]];
  const before = `INSERT INTO ${table} (${[...names, quoteIdentifier(columns.payload)].join(', ')})
SELECT ${values.join(', ')}
FROM json_array_elements(`;
  const after = `::text::json) WITH ORDINALITY AS given (message, place)
CROSS JOIN LATERAL json_populate_record(NULL::${table}, given.message -> 'columns') AS row
ORDER BY given.place${ids === 'database' ? `\nRETURNING ${quoteIdentifier(columns.id)}::text AS ${ID_RESULT}` : ''}`;
  return { text: `${before}$1${after}`, around: [before, after] };
}
