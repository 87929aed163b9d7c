/** Rows that are numbered, for tests of one fault each: the number is the payload. */
import { companionTables, quoteTable } from '../../src/postgres/identifier.ts';
import type { RelayOutbox } from './relay-outbox.ts';
import type { RelayProcess } from './relay-process.ts';
import { until } from './services/until.ts';

const KEYS = 40;

/** Writes the rows with the numbers from `first`, in one transaction. The payload column must be text. @param type default `order` */
export async function insertNumbers(
  { admin, table }: RelayOutbox,
  rows: number,
  first = 1,
  type = 'order',
): Promise<void> {
  await admin.query(
    `INSERT INTO ${table} (aggregatetype, aggregateid, type, payload)
      SELECT $1, $1 || n % ${KEYS}, 'numbered', n::text FROM generate_series($2::int, $3::int) n`,
    [type, first, first + rows - 1],
  );
}

/** What is wrong with payloads that are to be all numbers from 1 to `rows`, each key's first in order; repetitions are no fault. */
export function numberFaults(payloads: readonly string[], rows: number): string[] {
  const numbers = [...new Set(payloads.map(Number))];
  const present = new Set(numbers);
  const missing = Array.from({ length: rows }, (_, n) => n + 1).filter((n) => !present.has(n));
  const strangers = numbers.filter((n) => !(n >= 1 && n <= rows));
  const latest = new Map<number, number>();
  const overtaken = numbers.filter((n) => {
    const before = latest.get(n % KEYS) ?? 0;
    latest.set(n % KEYS, Math.max(before, n));
    return n < before;
  });
  return Object.entries({ missing, strangers, overtaken }).flatMap(([what, found]) =>
    found.length === 0 ? [] : [`${found.length} ${what}: ${found.slice(0, 10).join()}`],
  );
}

/** Waits until the relay has told an error of this code. */
export async function untilTold(relay: RelayProcess, code: string): Promise<void> {
  await relay.waitFor(`the error ${code}`, ({ lastErrors }) => lastErrors.some((error) => error.code === code));
}

/** The codes of all marks, in order of position. */
export async function parkedCodes({ admin, name }: RelayOutbox): Promise<string[]> {
  const { rows } = await admin.query<{ code: string }>(
    `SELECT code FROM ${quoteTable(companionTables(name).parked)} ORDER BY position`,
  );
  return rows.map(({ code }) => code);
}

/** Waits until exactly these are marked. */
export async function untilParked(outbox: RelayOutbox, codes: readonly string[]): Promise<void> {
  await until(async () => (await parkedCodes(outbox)).join() === codes.join(), { what: `the marks ${codes.join()}` });
}

/** Takes all marks away, as `outbox-relay parked retry --all` does. */
export async function retryAll({ admin, name }: RelayOutbox): Promise<void> {
  await admin.query(`DELETE FROM ${quoteTable(companionTables(name).parked)}`);
}

/** Waits until the relay has no slot, or one that holds back nothing of what is in the log by now. */
export async function untilNothingRetained({ admin, slotPrefix }: RelayOutbox): Promise<void> {
  const { rows } = await admin.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
  const holding = `SELECT FROM pg_replication_slots WHERE starts_with(slot_name, $1) AND confirmed_flush_lsn < $2::pg_lsn`;
  await until(async () => (await admin.query(holding, [slotPrefix, rows[0]?.lsn])).rowCount === 0, {
    what: 'the slot to let go of the log',
  });
}
