import type pg from 'pg';
import { RelayError } from '../core/errors.ts';
import { sqlState } from '../core/postgres-failure.ts';
import { parseSnapshot, seesTransaction, type Snapshot } from '../core/snapshot.ts';
import type { PublishedRow, Settler, SettleResult } from '../core/store.ts';
import type { OutboxTable } from '../core/table.ts';
import { refArrays } from './array-parameter.ts';
import { columnReference, textExpression } from './column-text.ts';
import { quoteTable } from './identifier.ts';
import { deliveryArrays, KEEPING_NOTHING, keeping, type Keeping } from './published-ids.ts';
import type { SqlSession } from './session.ts';

/** For the session that settles. */
export const SETTLE_SETTINGS: Readonly<Record<string, string>> = {
  // A crash that takes a deletion back costs a second publication, which at-least-once allows; waiting for the disk
  // would cost every batch a flush.
  synchronous_commit: 'off',
  // One plan is right, whatever the statistics of a table that fills and empties all day say: one walk down the index
  // for all positions, and what it finds looked up in a hash of what was given.
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_nestloop: 'off',
  enable_mergejoin: 'off',
  plan_cache_mode: 'force_generic_plan',
  jit: 'off',
  // A row that somebody else holds locked must not hold up the deletion of all others for long.
  lock_timeout: '500ms',
};

const LOCK_NOT_AVAILABLE = '55P03';
/** How long locked rows are looked for among the others. */
const LOCK_PATIENCE_MS = 5_000;

/** What one statement tells. Indices into the rows given; absent when all were deleted. */
interface DeleteOutcome {
  readonly deleted: number;
  readonly snapshot: Snapshot;
  readonly gone: ReadonlySet<number>;
  readonly visible: ReadonlySet<number>;
}

interface DeleteRow extends pg.QueryResultRow {
  readonly deleted: number;
  readonly snapshot: string;
  readonly gone: readonly number[] | null;
  readonly visible: readonly number[] | null;
}

/** Deletes published rows on a session with {@link SETTLE_SETTINGS}. */
export class PostgresSettler implements Settler {
  readonly #session: SqlSession;
  readonly #text: string;
  readonly #keeps: boolean;

  /** @param keepsPublished whether the ids of the rows are kept in `<table>_published`, by the same statement */
  constructor(session: SqlSession, table: OutboxTable, keepsPublished = false) {
    this.#session = session;
    this.#text = deleteStatement(table, keepsPublished ? keeping(table) : KEEPING_NOTHING);
    this.#keeps = keepsPublished;
  }

  async settle<Row extends PublishedRow>(rows: readonly Row[]): Promise<SettleResult<Row>> {
    return this.#settleFree(rows, performance.now() + LOCK_PATIENCE_MS);
  }

  /** Halves what meets a lock, until the locked rows are found or there is no time left; the rest must not wait for them. */
  async #settleFree<Row extends PublishedRow>(rows: readonly Row[], deadline: number): Promise<SettleResult<Row>> {
    if (rows.length === 0) return NOTHING;
    try {
      return await this.#settleAll(rows);
    } catch (error) {
      if (sqlState(error) !== LOCK_NOT_AVAILABLE) throw error;
      if (rows.length === 1 || performance.now() > deadline) return { ...NOTHING, locked: rows };
      const middle = rows.length >> 1;
      const first = await this.#settleFree(rows.slice(0, middle), deadline);
      return joined(first, await this.#settleFree(rows.slice(middle), deadline));
    }
  }

  async #settleAll<Row extends PublishedRow>(rows: readonly Row[]): Promise<SettleResult<Row>> {
    const first = classify(rows, await this.#delete(rows));
    if (first.blocked.length === 0) return first;
    // A row that another session deleted while our statement ran was visible to it, too, and not deleted by it. In a
    // new snapshot that row is gone, whereas a policy or trigger is in the way still.
    const again = classify(first.blocked, await this.#delete(first.blocked));
    return joined({ ...first, blocked: [] }, again);
  }

  async #delete(rows: readonly PublishedRow[]): Promise<DeleteOutcome> {
    const [row] = await this.#session.query<DeleteRow>('deleting published rows', {
      name: 'settle',
      text: this.#text,
      values: this.#keeps ? [...refArrays(rows), ...deliveryArrays(rows)] : refArrays(rows),
    });
    if (row === undefined) throw new RelayError('internal', 'the delete statement returned nothing');
    return {
      deleted: row.deleted,
      snapshot: parseSnapshot(row.snapshot),
      gone: new Set(row.gone),
      visible: new Set(row.visible),
    };
  }
}

/**
 * Deletes by position and id: a position alone may have been given out a second time (TRUNCATE RESTART IDENTITY,
 * setval, a restore) to a row that was never published.
 *
 * Everything in it, the deletion as well as the look at what is there, is of one snapshot, which is returned: only so
 * is "not there" told from "not there yet". The look sees the table as before the deletion, and is taken only when
 * fewer rows were deleted than given.
 */
function deleteStatement(table: OutboxTable, { arrays, columns, insert }: Keeping): string {
  const name = quoteTable(table);
  const position = columnReference(table.position);
  const given = `unnest($1::bigint[], $2::text[]${arrays}) WITH ORDINALITY AS g(position, id${columns}, n)`;
  const isGiven =
    `${position} = ANY ($1::bigint[]) AND ${position} = g.position` +
    ` AND ${textExpression(table.id)} COLLATE "C" = g.id COLLATE "C"`;
  const isShort = 'deleted < cardinality($1::bigint[])';
  return `WITH gone AS (
      DELETE FROM ${name} o USING ${given} WHERE ${isGiven} RETURNING ${insert === '' ? 'g.n' : 'g.*'}
    )${insert}, tally AS MATERIALIZED (
      SELECT count(*)::int AS deleted FROM gone
    )
    SELECT pg_current_snapshot()::text AS snapshot, deleted,
      CASE WHEN ${isShort} THEN ARRAY(SELECT n::int - 1 FROM gone) END AS gone,
      CASE WHEN ${isShort} THEN ARRAY(SELECT g.n::int - 1 FROM ${given} JOIN ${name} o ON ${isGiven}) END AS visible
    FROM tally`;
}

const NOTHING = { deleted: 0, notYetVisible: [], missing: [], locked: [], blocked: [] } as const;

function joined<Row extends PublishedRow>(first: SettleResult<Row>, second: SettleResult<Row>): SettleResult<Row> {
  return {
    deleted: first.deleted + second.deleted,
    notYetVisible: [...first.notYetVisible, ...second.notYetVisible],
    missing: [...first.missing, ...second.missing],
    locked: [...first.locked, ...second.locked],
    blocked: [...first.blocked, ...second.blocked],
  };
}

function classify<Row extends PublishedRow>(rows: readonly Row[], outcome: DeleteOutcome): SettleResult<Row> {
  const notYetVisible: Row[] = [];
  const missing: Row[] = [];
  const blocked: Row[] = [];
  if (outcome.deleted < rows.length) {
    rows.forEach((row, index) => {
      if (outcome.gone.has(index)) return;
      if (outcome.visible.has(index)) blocked.push(row);
      else if (row.xid === null || seesTransaction(outcome.snapshot, row.xid)) missing.push(row);
      else notYetVisible.push(row);
    });
  }
  return { deleted: outcome.deleted, notYetVisible, missing, locked: [], blocked };
}
