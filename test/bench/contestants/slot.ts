import pg from 'pg';
import { until } from '../../support/services/until.ts';

const READ_TIMEOUT_MS = 120_000;

/** Makes a slot that has everything that is written from now on. */
export async function createSlot(url: string, name: string): Promise<void> {
  await ask(url, `SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [name]);
}

/** Resolves when somebody reads the slot. */
export async function untilSlotIsRead(url: string, name: string): Promise<void> {
  const isRead = async () => {
    const rows = await ask<{ active: boolean }>(url, 'SELECT active FROM pg_replication_slots WHERE slot_name = $1', [
      name,
    ]);
    return rows[0]?.active === true;
  };
  await until(isRead, { what: `slot ${name} to be read`, timeoutMs: READ_TIMEOUT_MS, everyMs: 100 });
}

/** Runs one statement on a connection of its own. */
export async function ask<Row extends pg.QueryResultRow>(
  url: string,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const client = new pg.Client(url);
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Row>(sql, [...values])).rows;
  } finally {
    await client.end();
  }
}
