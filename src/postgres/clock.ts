import type { SqlSession } from './session.ts';

/** What the clock of the database says: milliseconds since 1970, with a fraction. @throws RelayError `postgres_*` */
export async function databaseTime(session: SqlSession): Promise<number> {
  const [row] = await session.query<{ now: number }>(
    'reading the clock',
    `SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS now`,
  );
  return row?.now ?? Number.NaN;
}
