import { parseTableName } from '../../core/table-name.ts';
import { section, text } from './scalars.ts';
import { attempt } from './transformations.ts';

const column = (name: string, description: string) =>
  text("a column's name (exactly as in the catalog, without quotes)")
    .refine((given) => Buffer.byteLength(given) <= 63, 'expected a column name of at most 63 bytes')
    .describe(description)
    .prefault(name);

const optionalColumn = (name: string, description: string) =>
  text("a column's name (exactly as in the catalog, without quotes), or null where the table has none")
    .refine((given) => Buffer.byteLength(given) <= 63, 'expected a column name of at most 63 bytes')
    .nullable()
    .describe(description)
    .prefault(name);

/** The `table:` section. In the result `name` is split into schema and name. */
export const tableSchema = section({
  name: text('a table name such as public.outbox or "My Schema"."Outbox"')
    .describe(
      'The outbox table, written as in SQL: `public.outbox`, `"My Schema"."Outbox"`. The tables of the relay stand beside it and are named after it.',
    )
    .prefault('public.outbox'),
  columns: section({
    position: column(
      'position',
      'Order column: an integer from a sequence with CACHE 1, unique and indexed. The table is read by it.',
    ),
    id: column('id', 'Dedup key of a row, which never changes.'),
    aggregatetype: optionalColumn(
      'aggregatetype',
      'What kind of thing the event is about; routes use it. Null: not there.',
    ),
    aggregateid: column('aggregateid', 'What the event is about: the message key; order is kept per key.'),
    type: optionalColumn('type', 'Type of the event, sent along as a header or property. Null: not there.'),
    payload: column(
      'payload',
      'Body of the message, sent as Postgres prints it (`bytea`: its bytes); SQL null is a tombstone.',
    ),
    headers: optionalColumn('headers', 'Further headers, a flat JSON object. Null: not there.'),
    createdAt: optionalColumn(
      'created_at',
      'When the row was written; lag is measured by it while the table is read. Null: not there.',
    ),
  })
    .describe('Names of the columns, so that any outbox table can be used as it is.')
    .prefault({}),
})
  .transform(({ name, columns }, context) => ({
    ...attempt(context, ['name'], () => parseTableName(name)),
    columns,
  }))
  .describe('The outbox table.')
  .prefault({});
