import { RelayError } from '../core/errors.ts';
import { parseLsn } from '../core/lsn.ts';
import type { OutboxRow, RowRef } from '../core/row.ts';
import type { Auditor, Look, LookCursor } from '../core/store.ts';
import type { OutboxTable } from '../core/table.ts';
import { columnReference, textExpression } from './column-text.ts';
import { quoteTable } from './identifier.ts';
import type { SqlSession } from './session.ts';
import { fromUnpublished, type RowFilters } from './unpublished-rows.ts';

const DOING = 'auditing the outbox table';
const MAX_BIGINT = 2n ** 63n - 1n;

/** Looks at what is left in the table, on a session with `IN_ORDER_SETTINGS`. */
export class PostgresAuditor implements Auditor {
  readonly #session: SqlSession;
  readonly #table: OutboxTable;
  readonly #filters: RowFilters;

  constructor(session: SqlSession, table: OutboxTable, filters: RowFilters) {
    this.#session = session;
    this.#table = table;
    this.#filters = filters;
  }

  leavesOutParkedKeys(destination: string): boolean {
    return this.#filters.keyColumn(destination) !== null;
  }

  async look(destination: string, limit: number, from: LookCursor | null = null): Promise<Look> {
    const rows = await this.#scan(destination, limit, from);
    // In a statement of its own: what the first one saw has then committed below this position.
    const [inserted] = await this.#session.query<{ lsn: string }>(
      DOING,
      'SELECT pg_current_wal_insert_lsn()::text AS lsn',
    );
    if (inserted === undefined) throw new RelayError('internal', 'pg_current_wal_insert_lsn() returned nothing');
    const fullAt = rows.find(({ id }) => id === null);
    return {
      present: rows.flatMap(({ position, id }) => (id === null ? [] : [toRef({ position, id })])),
      next: fullAt === undefined ? null : await this.#behind(BigInt(fullAt.position), from),
      insertLsn: parseLsn(inserted.lsn),
    };
  }

  async stillThere(destination: string, refs: readonly RowRef[]): Promise<readonly RowRef[]> {
    if (refs.length === 0) return [];
    const asked = new Set(refs.map(refKey));
    const atPosition = await this.#read(destination, `AND ${this.#isAt(refs)}`);
    return atPosition.filter((ref) => asked.has(refKey(ref)));
  }

  async rows(refs: readonly RowRef[]): Promise<readonly OutboxRow[]> {
    if (refs.length === 0) return [];
    const asked = new Set(refs.map(refKey));
    const { position, id, reads } = this.#table;
    // bytes as they are, all else as it is printed
    const columns = reads.map((column, at) => {
      const value = column.type === 'bytea' ? columnReference(column) : textExpression(column);
      return `, ${value} AS c${at}`;
    });
    const found = await this.#session.query<Record<string, string | Buffer | null>>(
      DOING,
      `SELECT ${columnReference(position)}::bigint AS position, ${textExpression(id)} AS id${columns.join('')}` +
        ` FROM ${quoteTable(this.#table)} o WHERE ${this.#isAt(refs)} ORDER BY ${columnReference(position)}`,
    );
    const rows = found.map((row): OutboxRow => ({
      position: BigInt(String(row.position)),
      id: String(row.id),
      values: reads.map((_, at) => bytesOf(row[`c${at}`] ?? null)),
      lane: 'table',
      xid: null,
      since: Number.NaN,
    }));
    return rows.filter((row) => asked.has(refKey(row)));
  }

  #isAt(refs: readonly RowRef[]): string {
    const positions = refs.map((ref) => ref.position).join(',');
    return `${columnReference(this.#table.position)} = ANY ('{${positions}}'::bigint[])`;
  }

  /**
   * The wanted ones of the next rows, behind a first row with the position at which so many are full, if they are. In one
   * statement, hence one snapshot; a limit alone would count what the filter lets through, not what is walked past.
   */
  #scan(destination: string, limit: number, from: LookCursor | null): Promise<ScannedRow[]> {
    const position = columnReference(this.#table.position);
    const range = from === null ? 'true' : `${position} > ${from.after} AND ${position} <= ${from.until}`;
    return this.#session.query<ScannedRow>(
      DOING,
      `WITH full_at AS MATERIALIZED (
         SELECT ${position}::bigint AS position FROM ${quoteTable(this.#table)} o
          WHERE ${range} ORDER BY ${position} LIMIT 1 OFFSET ${limit - 1}
       )
       SELECT position, NULL AS id FROM full_at
       UNION ALL (
         SELECT ${position}::bigint, ${textExpression(this.#table.id)}
         ${fromUnpublished(this.#table, this.#filters, destination)} AND ${range}
            AND ${position} <= coalesce((SELECT position FROM full_at), ${MAX_BIGINT}) ORDER BY ${position}
       )`,
    );
  }

  async #behind(after: bigint, from: LookCursor | null): Promise<LookCursor | null> {
    const until = from === null ? await this.#highest() : from.until;
    return until !== null && until > after ? { after, until } : null;
  }

  async #highest(): Promise<bigint | null> {
    const [row] = await this.#session.query<{ position: string | null }>(
      DOING,
      `SELECT max(${columnReference(this.#table.position)})::bigint AS position FROM ${quoteTable(this.#table)} o`,
    );
    const highest = row?.position ?? null;
    return highest === null ? null : BigInt(highest);
  }

  async #read(destination: string, condition: string): Promise<RowRef[]> {
    const position = columnReference(this.#table.position);
    const rows = await this.#session.query<{ position: string; id: string }>(
      DOING,
      `SELECT ${position}::bigint AS position, ${textExpression(this.#table.id)} AS id` +
        ` ${fromUnpublished(this.#table, this.#filters, destination)} ${condition} ORDER BY ${position}`,
    );
    return rows.map(toRef);
  }
}

interface ScannedRow {
  readonly position: string;
  /** Null: the scan ended here, at so many rows. */
  readonly id: string | null;
}

function toRef({ position, id }: { readonly position: string; readonly id: string }): RowRef {
  return { position: BigInt(position), id };
}

function bytesOf(value: string | Buffer | null): Buffer | null {
  return typeof value === 'string' ? Buffer.from(value) : value;
}

function refKey({ position, id }: RowRef): string {
  return `${position}/${id}`;
}
