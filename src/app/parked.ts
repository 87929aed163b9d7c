import type { Config } from '../config/index.ts';
import type { OutboxTable } from '../core/table.ts';
import { closeConnection, connectSql } from '../postgres/connection.ts';
import { SqlSession } from '../postgres/session.ts';
import { inspectTable } from '../postgres/table.ts';
import { tableMapping } from './routes.ts';

/** Runs `use` with a session for the parked rows of the configured table, and ends the session. @throws RelayError */
export async function withParkedRows<T>(
  config: Config,
  use: (session: SqlSession, table: OutboxTable) => Promise<T>,
): Promise<T> {
  const client = await connectSql(config.postgres, 'parked');
  const table = await inspectTable(client, tableMapping(config)).finally(() => closeConnection(client));
  const session = new SqlSession(config.postgres, { role: 'parked' });
  try {
    return await use(session, table);
  } finally {
    await session.close();
  }
}
