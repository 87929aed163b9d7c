import { RelayError } from '../core/errors.ts';
import type { RowRef } from '../core/row.ts';
import { parseSnapshot, seesTransaction } from '../core/snapshot.ts';
import type { ParkedMark, ParkedRef, ParkedStore, PublishedRow } from '../core/store.ts';
import type { OutboxTable } from '../core/table.ts';
import { refArrays, textArray } from './array-parameter.ts';
import { columnReference, textExpression } from './column-text.ts';
import { companionTables, quoteTable } from './identifier.ts';
import { deliveryValues, keepingDeadLetter } from './published-ids.ts';
import type { SqlSession } from './session.ts';

const MAX_REASON_LENGTH = 2_000;

/** The term of leadership in which marks are written. */
export interface ParkedTerm {
  readonly shard: number;
  /** As the lease table has it while the term lasts. */
  readonly epoch: bigint;
}

/**
 * The rows of one shard that are set aside, in `<table>_parked`.
 *
 * Marks are fenced: the statement that writes them holds the lease's row, and writes nothing when a later term has begun.
 * The leader of that term reads the marks when it begins; one that came afterwards would leave a row out while newer rows
 * of its key are published.
 */
export class PostgresParkedStore implements ParkedStore {
  readonly #session: SqlSession;
  readonly #table: OutboxTable;
  readonly #parked: string;
  readonly #lease: string;
  readonly #term: ParkedTerm;
  readonly #keeps: boolean;

  /** @param keepsPublished whether the ids of buried rows are kept in `<table>_published`, by the same statement */
  constructor(session: SqlSession, table: OutboxTable, term: ParkedTerm, keepsPublished = false) {
    this.#session = session;
    this.#table = table;
    const { parked, lease } = companionTables(table);
    this.#parked = quoteTable(parked);
    this.#lease = quoteTable(lease);
    this.#term = term;
    this.#keeps = keepsPublished;
  }

  async load(): Promise<readonly ParkedRef[]> {
    const rows = await this.#session.query<Omit<ParkedRef, 'position'> & { readonly position: string }>(
      'reading the parked rows',
      {
        text: `SELECT position, id, destination, key, attempts FROM ${this.#parked} WHERE shard = $1 ORDER BY position`,
        values: [this.#term.shard],
      },
    );
    return rows.map((row) => ({ ...row, position: BigInt(row.position) }));
  }

  async park(marks: readonly ParkedMark[]): Promise<void> {
    const [positions, ids] = refArrays(marks);
    const written = await this.#session.query('parking rows', {
      text: `INSERT INTO ${this.#parked} AS p (position, id, destination, key, code, reason, attempts, shard, parked_at)
        SELECT m.*, $8, clock_timestamp()
        FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[]) m,
          (SELECT FROM ${this.#lease} WHERE shard = $8 AND epoch = $9::bigint FOR SHARE) term
        ON CONFLICT (position, id) DO UPDATE SET destination = excluded.destination, key = excluded.key,
          code = excluded.code, reason = excluded.reason, attempts = greatest(p.attempts + 1, excluded.attempts),
          parked_at = excluded.parked_at
        RETURNING 1`,
      values: [
        positions,
        ids,
        textArray(marks.map(({ destination }) => destination)),
        textArray(marks.map(({ key }) => key)),
        textArray(marks.map(({ code }) => code)),
        textArray(marks.map(({ reason }) => storable(reason).slice(0, MAX_REASON_LENGTH))),
        `{${marks.map(({ attempts }) => attempts).join()}}`,
        this.#term.shard,
        this.#term.epoch.toString(),
      ],
    });
    if (marks.length > 0 && written.length === 0)
      throw new RelayError('leadership_lost', 'rows were not parked: another instance has begun a later epoch');
  }

  async bury(row: PublishedRow): Promise<boolean> {
    const [outcome] = await this.#session.query<{ snapshot: string; deleted: boolean; visible: boolean }>(
      'deleting a row and its mark',
      {
        text: buryStatement(this.#table, this.#parked, this.#keeps ? keepingDeadLetter(this.#table) : ''),
        values: this.#keeps ? [...refValues(row), ...deliveryValues(row)] : refValues(row),
      },
    );
    if (outcome === undefined) throw new RelayError('internal', 'the delete statement returned nothing');
    if (outcome.deleted) return true;
    if (outcome.visible)
      throw new RelayError('delete_blocked', `the row at position ${row.position} is visible and cannot be deleted`);
    return row.xid === null || seesTransaction(parseSnapshot(outcome.snapshot), row.xid);
  }
}

/** The mark goes with the row, or when there is no row; it stays when something keeps the row from being deleted. */
function buryStatement(table: OutboxTable, parked: string, keep: string): string {
  const name = quoteTable(table);
  const isRow = `${columnReference(table.position)} = $1::bigint AND ${textExpression(table.id)} COLLATE "C" = $2::text COLLATE "C"`;
  return `WITH gone AS (
      DELETE FROM ${name} o WHERE ${isRow} RETURNING 1
    )${keep}, seen AS (
      SELECT EXISTS (SELECT FROM gone) AS deleted, EXISTS (SELECT FROM ${name} o WHERE ${isRow}) AS visible
    ), unmarked AS (
      DELETE FROM ${parked} p USING seen WHERE p.position = $1::bigint AND p.id = $2::text AND (seen.deleted OR NOT seen.visible)
    )
    SELECT pg_current_snapshot()::text AS snapshot, deleted, visible FROM seen`;
}

function refValues({ position, id }: RowRef): [string, string] {
  return [position.toString(), id];
}

/** Without the NUL, which Postgres's text cannot hold and a broker's error may. */
function storable(text: string): string {
  return text.replaceAll('\0', '');
}
