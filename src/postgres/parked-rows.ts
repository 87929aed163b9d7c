import { RelayError } from '../core/errors.ts';
import type { RowRef } from '../core/row.ts';
import type { ParkedGroup, ParkedOverview, ParkedRow, ParkedSelection } from '../core/parked.ts';
import type { ParkedMark } from '../core/store.ts';
import type { OutboxTable } from '../core/table.ts';
import { columnReference, textExpression } from './column-text.ts';
import { companionTables, quoteTable } from './identifier.ts';
import type { SqlSession } from './session.ts';

/** A parked row with what it holds: each column that is read, as text (bytea in hex); null when the row is gone. */
export interface ParkedRowDetails extends ParkedRow {
  readonly columns: Readonly<Record<string, string | null>> | null;
}

interface MarkRow extends Omit<ParkedMark, 'position'> {
  readonly position: string;
  readonly parked_at: Date;
}

const AS_OF = `to_char(clock_timestamp(), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
const MARK_COLUMNS = 'p.position, p.id, p.destination, p.key, p.code, p.reason, p.attempts, p.parked_at';

/** The first parked rows of a selection in order of position. */
export async function listParked(
  session: SqlSession,
  table: OutboxTable,
  selection: ParkedSelection,
  limit: number,
): Promise<readonly ParkedRow[]> {
  const { where, values } = conditions(selection);
  const rows = await session.query<MarkRow>('listing the parked rows', {
    text: `SELECT ${MARK_COLUMNS} FROM ${parkedTable(table)} p WHERE ${where} ORDER BY p.position LIMIT ${limit}`,
    values,
  });
  return rows.map(toParkedRow);
}

/** How many rows are parked, by destination and code; at most `limit` groups. */
export async function overviewParked(session: SqlSession, table: OutboxTable, limit: number): Promise<ParkedOverview> {
  const rows = await session.query<{ as_of: string; groups: readonly ParkedGroup[] }>('counting the parked rows', {
    text: `SELECT ${AS_OF} AS as_of,
        coalesce((SELECT jsonb_agg(to_jsonb(g)) FROM (
          SELECT p.destination, p.code, count(*)::int AS rows FROM ${parkedTable(table)} p
          GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT ${limit}) g), '[]') AS groups`,
  });
  const [row] = rows;
  if (row === undefined) throw new RelayError('internal', 'counting the parked rows returned nothing');
  return { asOf: row.as_of, groups: row.groups };
}

/** How many rows of a selection are parked, and when that was, by the database's clock to the microsecond. */
export async function countParked(
  session: SqlSession,
  table: OutboxTable,
  selection: ParkedSelection,
): Promise<{ readonly rows: number; readonly asOf: string }> {
  const { where, values } = conditions(selection);
  const [row] = await session.query<{ rows: number; as_of: string }>('counting the parked rows', {
    text: `SELECT count(*)::int AS rows, ${AS_OF} AS as_of FROM ${parkedTable(table)} p WHERE ${where}`,
    values,
  });
  if (row === undefined) throw new RelayError('internal', 'counting the parked rows returned nothing');
  return { rows: row.rows, asOf: row.as_of };
}

/** One parked row with its columns; null when it is not parked. */
export async function showParked(
  session: SqlSession,
  table: OutboxTable,
  ref: RowRef,
): Promise<ParkedRowDetails | null> {
  const columns = table.reads.map((column) => textExpression(column)).join(', ');
  const [row] = await session.query<MarkRow & { found: boolean; columns: (string | null)[] }>('showing a parked row', {
    text: `SELECT ${MARK_COLUMNS}, o.tableoid IS NOT NULL AS found, ARRAY[${columns}]::text[] AS columns
      FROM ${parkedTable(table)} p LEFT JOIN ${quoteTable(table)} o ON ${isMarked(table)}
      WHERE p.position = $1 AND p.id = $2`,
    values: [ref.position.toString(), ref.id],
  });
  if (row === undefined) return null;
  const named = table.layout.names.map((name, index) => [name, row.columns[index] ?? null] as const);
  return { ...toParkedRow(row), columns: row.found ? Object.fromEntries(named) : null };
}

/**
 * Takes the marks away, so that the rows and their keys are published again. Returns how many.
 *
 * @param limit the first so many in order of position. @default all
 */
export async function retryParked(
  session: SqlSession,
  table: OutboxTable,
  selection: ParkedSelection,
  limit?: number,
): Promise<number> {
  const { where, values } = bounded(table, selection, limit);
  const [row] = await session.query<{ count: number }>('retrying parked rows', {
    text: `WITH gone AS (DELETE FROM ${parkedTable(table)} p WHERE ${where} RETURNING 1)
      SELECT count(*)::int AS count FROM gone`,
    values,
  });
  return row?.count ?? 0;
}

/**
 * Deletes parked rows for good, with their marks: they are never published. Returns how many marks went.
 *
 * @param limit the first so many in order of position. @default all
 * @throws RelayError `delete_blocked` when a policy or trigger keeps rows from being deleted; nothing is changed then
 */
export async function discardParked(
  session: SqlSession,
  table: OutboxTable,
  selection: ParkedSelection,
  limit?: number,
): Promise<number> {
  const { where, values } = bounded(table, selection, limit);
  const name = quoteTable(table);
  const [row] = await session.query<{ count: number; kept: number }>('discarding parked rows', {
    text: `WITH chosen AS MATERIALIZED (
        SELECT p.position, p.id, o.tableoid IS NOT NULL AS there
        FROM ${parkedTable(table)} p LEFT JOIN ${name} o ON ${isMarked(table)} WHERE ${where} FOR UPDATE OF p
      ), gone AS (
        DELETE FROM ${name} o USING chosen p WHERE ${isMarked(table)} RETURNING p.position, p.id
      ), unmarked AS (
        DELETE FROM ${parkedTable(table)} p USING chosen c WHERE p.position = c.position AND p.id = c.id
          AND (NOT c.there OR (c.position, c.id) IN (SELECT position, id FROM gone)) RETURNING 1
      )
      SELECT (SELECT count(*)::int FROM unmarked) AS count,
        (SELECT count(*)::int FROM chosen WHERE there) - (SELECT count(*)::int FROM gone) AS kept`,
    values,
  });
  if (row !== undefined && row.kept > 0)
    throw new RelayError('delete_blocked', `${row.kept} of ${row.kept + row.count} parked rows cannot be deleted`);
  return row?.count ?? 0;
}

function parkedTable(table: OutboxTable): string {
  return quoteTable(companionTables(table).parked);
}

function isMarked(table: OutboxTable): string {
  return `${columnReference(table.position)} = p.position AND ${textExpression(table.id)} = p.id`;
}

/** The conditions of a selection, or of the first rows of it. */
function bounded(table: OutboxTable, selection: ParkedSelection, limit: number | undefined): Conditions {
  const { where, values } = conditions(selection);
  if (limit === undefined) return { where, values };
  const first = `SELECT p.position, p.id FROM ${parkedTable(table)} p WHERE ${where} ORDER BY p.position LIMIT ${limit}`;
  return { where: `(p.position, p.id) IN (${first})`, values };
}

interface Conditions {
  readonly where: string;
  readonly values: string[];
}

function conditions(selection: ParkedSelection): Conditions {
  const chosen = (['destination', 'key', 'code', 'id', 'position'] as const).flatMap((column) => {
    const value = selection[column];
    return value === undefined ? [] : [{ column, value: value.toString() }];
  });
  const terms = chosen.map(({ column }, index) => `p.${column} = $${index + 1}`);
  const values = chosen.map(({ value }) => value);
  if (selection.reason !== undefined) {
    values.push(selection.reason);
    terms.push(`strpos(lower(p.reason), lower($${values.length})) > 0`);
  }
  if (selection.parkedUntil !== undefined) {
    values.push(selection.parkedUntil);
    terms.push(`p.parked_at <= $${values.length}::timestamptz`);
  }
  return { where: terms.join(' AND ') || 'true', values };
}

function toParkedRow({ parked_at: parkedAt, position, ...row }: MarkRow): ParkedRow {
  const { id, destination, key, code, reason, attempts } = row;
  return { position: BigInt(position), id, destination, key, code, reason, attempts, parkedAt };
}
