import type { ParkedDesk } from '../admin/parked.ts';
import type { Config } from '../config/index.ts';
import type { OutboxTable } from '../core/table.ts';
import { closeConnection, connectSql } from '../postgres/connection.ts';
import { discardParked, listParked, overviewParked, retryParked } from '../postgres/parked-rows.ts';
import { SqlSession } from '../postgres/session.ts';
import { inspectTable } from '../postgres/table.ts';
import { tableMapping } from './routes.ts';

const GROUPS = 50;

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

/** The parked rows for the admin port, as `outbox-relay parked` sees them: by a session for each look. */
export function parkedDesk(config: Config): ParkedDesk {
  return {
    list: (selection, limit) =>
      withParkedRows(config, async (session, table) => {
        const overview = await overviewParked(session, table, GROUPS);
        return { ...overview, rows: await listParked(session, table, selection, limit) };
      }),
    change: (action, selection, limit) =>
      withParkedRows(config, (session, table) =>
        (action === 'retry' ? retryParked : discardParked)(session, table, selection, limit),
      ),
  };
}
