import { MAX_IDENTIFIER_BYTES, type TableName } from './identifier.ts';

/** The longest name that is derived from a table's is `<table>_schema_version`. */
const MAX_TABLE_BYTES = MAX_IDENTIFIER_BYTES - '_schema_version'.length;

const PART = '(?:"(?:[^"]|"")+"|[A-Za-z_\\u0080-\\uffff][\\w$\\u0080-\\uffff]*)';
const QUALIFIED = new RegExp(`^(?:(${PART})\\.)?(${PART})$`);

/**
 * Reads a table's name as SQL does: `public.outbox`, `"My Schema"."Outbox"`. What is not quoted is folded to lower
 * case; without a schema it is `public`.
 *
 * @throws RangeError when the text is not such a name, or too long for the names derived from it
 */
export function parseTableName(text: string): TableName {
  const match = QUALIFIED.exec(text.trim());
  if (match?.[2] === undefined) {
    throw new RangeError('expected a table name such as public.outbox or "My Schema"."Outbox"');
  }
  const table = { schema: identifier(match[1] ?? 'public'), name: identifier(match[2]) };
  if (Buffer.byteLength(table.schema) > MAX_IDENTIFIER_BYTES) {
    throw new RangeError(`a schema's name has at most ${MAX_IDENTIFIER_BYTES} bytes`);
  }
  if (Buffer.byteLength(table.name) > MAX_TABLE_BYTES) {
    throw new RangeError(
      `the table's name may have at most ${MAX_TABLE_BYTES} bytes, since tables beside it are named after it`,
    );
  }
  return table;
}

function identifier(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part.toLowerCase();
}
