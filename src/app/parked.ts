import type { ParkedDesk } from '../admin/parked.ts';
import type { Config } from '../config/index.ts';
import type { ParkedSelection } from '../core/parked.ts';
import type { ReportProgress } from '../core/progress.ts';
import type { OutboxTable } from '../core/table.ts';
import { closeConnection, connectSql } from '../postgres/connection.ts';
import { countParked, discardParked, listParked, overviewParked, retryParked } from '../postgres/parked-rows.ts';
import { SqlSession } from '../postgres/session.ts';
import { inspectTable } from '../postgres/table.ts';
import { tableMapping } from './routes.ts';

const GROUPS = 50;
/** Few enough for a statement to be short, and not to hold locks for long. */
const BATCH = 1000;
const CHANGES = { retry: retryParked, discard: discardParked } as const;

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

/**
 * Retries or discards all rows of a selection that are parked now, in order of position, a batch a transaction.
 *
 * @param report told how far that has come
 * @returns how many it were
 * @throws RelayError `delete_blocked` when rows cannot be deleted; batches before that are gone
 */
export async function changeParked(
  config: Config,
  action: 'retry' | 'discard',
  selection: ParkedSelection,
  report: ReportProgress,
): Promise<number> {
  return withParkedRows(config, async (session, table) => {
    const { rows: total, asOf: parkedUntil } = await countParked(session, table, selection);
    let done = 0;
    for (let changed = -1; done < total && changed !== 0; done += changed) {
      report({ what: action === 'retry' ? 'retrying' : 'discarding', done, total, unit: 'parked rows' });
      changed = await CHANGES[action](session, table, { ...selection, parkedUntil }, BATCH);
    }
    return done;
  });
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
      withParkedRows(config, (session, table) => CHANGES[action](session, table, selection, limit)),
  };
}
