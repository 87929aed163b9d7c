import { tableMapping } from '../src/app/routes.ts';
import type { Config } from '../src/config/index.ts';
import { closeConnection, connectSql } from '../src/postgres/connection.ts';
import { applyInit } from '../src/postgres/init.ts';
import { type StartedPostgres, startPostgres } from '../test/support/services/postgres.ts';

/** The role that the relay of the demo logs in as: with the privileges that `init` grants, and no others. */
export const RELAY_ROLE = 'outbox_relay';
const WRITER_ROLE = 'shop';

/** A Postgres of the demo's own. */
export async function startDatabase(): Promise<StartedPostgres> {
  const postgres = await startPostgres();
  await postgres.query(`CREATE ROLE ${RELAY_ROLE} LOGIN REPLICATION; CREATE ROLE ${WRITER_ROLE} LOGIN`);
  await postgres.query(
    `CREATE TABLE orders (id text PRIMARY KEY, version int NOT NULL, changed_at timestamptz NOT NULL DEFAULT now());
     GRANT SELECT, INSERT, UPDATE ON orders TO ${WRITER_ROLE}`,
  );
  return postgres;
}

/** How the relay, or the shop, logs in. */
export function urlOf(postgres: StartedPostgres, role: 'relay' | 'shop'): string {
  const url = new URL(postgres.url);
  url.username = role === 'relay' ? RELAY_ROLE : WRITER_ROLE;
  return url.href;
}

/** What `outbox-relay init` does: table, publication and grants. */
export async function initDatabase(config: Config): Promise<void> {
  const client = await connectSql({ ...config.postgres, user: 'postgres' }, 'init');
  try {
    const { publication } = config.capture;
    const mapping = tableMapping(config);
    const roles = { relayRole: RELAY_ROLE, writerRole: WRITER_ROLE };
    await applyInit(client, { mapping, payload: 'jsonb', ...roles, publication }, true);
  } finally {
    await closeConnection(client);
  }
}

/** How many rows are still in the outbox table: those published are deleted. */
export async function rowsLeft(postgres: StartedPostgres): Promise<number> {
  const [row] = await postgres.query<{ count: number }>('SELECT count(*)::int AS count FROM outbox');
  return row?.count ?? 0;
}
