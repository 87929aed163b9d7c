import { quoteIdentifier, quoteTable } from '../core/identifier.ts';
import { parseTableName } from '../core/table-name.ts';
import type { Queryable } from './client.ts';
import { InboxError } from './errors.ts';

/** Of the table of ids, unless an option says otherwise. */
export const DEFAULT_TABLE = 'public.inbox';

/** The inbox's tables, quoted for use in statements. */
export interface InboxTables {
  /** Which ids have been handled, by whom. */
  readonly ids: string;
  /** Messages that were given up, and those held behind them. */
  readonly deadLetters: string;
  /** Names of indexes, without the schema, quoted. */
  readonly indexes: { readonly handledAt: string; readonly orderKey: string };
}

/** Where the tables are. */
export interface TablesOptions {
  /** Of the ids, as in SQL: `inbox`, `billing."Inbox"`. The dead letters are beside it, with `_dead_letters` behind the name. @default 'public.inbox' */
  readonly table?: string;
}

/** @throws InboxError `invalid_options` for what is no table's name */
export function inboxTables(table: string = DEFAULT_TABLE): InboxTables {
  try {
    const { schema, name } = parseTableName(table);
    return {
      ids: quoteTable({ schema, name }),
      deadLetters: quoteTable({ schema, name: `${name}_dead_letters` }),
      indexes: {
        handledAt: quoteIdentifier(`${name}_handled_at`),
        orderKey: quoteIdentifier(`${name}_order_key`),
      },
    };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new InboxError('invalid_options', `table: ${error.message}`);
  }
}

/** The statements that make the tables, for a migration of your own. They change nothing that is there. */
export function inboxTablesSql({ table }: TablesOptions = {}): string {
  const { ids, deadLetters, indexes } = inboxTables(table);
  return `CREATE TABLE IF NOT EXISTS ${ids} (
  consumer   text        NOT NULL,
  id         text        NOT NULL,
  handled_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (consumer, id)
);
CREATE INDEX IF NOT EXISTS ${indexes.handledAt} ON ${ids} (consumer, handled_at);
CREATE TABLE IF NOT EXISTS ${deadLetters} (
  position   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  consumer   text        NOT NULL,
  id         text,
  key        text,
  order_key  text,
  type       text,
  headers    jsonb       NOT NULL,
  payload    bytea,
  source     jsonb       NOT NULL,
  reason     text        NOT NULL,
  error      text        NOT NULL,
  attempts   integer     NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS ${indexes.orderKey} ON ${deadLetters} USING hash (order_key);
`;
}

/** Held while the tables are made: `CREATE .. IF NOT EXISTS` by two at a time fails for one of them. Any number of ours. */
const CREATION_LOCK = 7_301_946_523;

/**
 * Makes the tables, where they are not there yet; several processes may do so at a time. Needs CREATE on the schema.
 *
 * @param database a client or a pool
 */
export async function createInboxTables(database: Queryable, options: TablesOptions = {}): Promise<void> {
  // One simple query is one transaction, which holds the lock until all is made.
  await database.query(`SELECT pg_advisory_xact_lock(${CREATION_LOCK}); ${inboxTablesSql(options)}`);
}
