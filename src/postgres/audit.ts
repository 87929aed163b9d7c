import { RelayError } from '../core/errors.ts';
import { type Lsn, parseLsn } from '../core/lsn.ts';
import type { RowRef } from '../core/row.ts';
import type { Auditor } from '../core/store.ts';
import type { OutboxTable } from '../core/table.ts';
import { columnReference, textExpression } from './column-text.ts';
import type { SqlSession } from './session.ts';
import { fromUnpublished, type RowFilters } from './unpublished-rows.ts';

const DOING = 'auditing the outbox table';

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

  async look(
    destination: string,
    limit: number,
  ): Promise<{ readonly present: readonly RowRef[]; readonly insertLsn: Lsn }> {
    const present = await this.#read(destination, '', `LIMIT ${limit}`);
    // In a statement of its own: what the first one saw has then committed below this position.
    const [after] = await this.#session.query<{ lsn: string }>(
      DOING,
      'SELECT pg_current_wal_insert_lsn()::text AS lsn',
    );
    if (after === undefined) throw new RelayError('internal', 'pg_current_wal_insert_lsn() returned nothing');
    return { present, insertLsn: parseLsn(after.lsn) };
  }

  async stillThere(destination: string, refs: readonly RowRef[]): Promise<readonly RowRef[]> {
    if (refs.length === 0) return [];
    const positions = refs.map((ref) => ref.position).join(',');
    const asked = new Set(refs.map(refKey));
    const atPosition = await this.#read(
      destination,
      `AND ${columnReference(this.#table.position)} = ANY ('{${positions}}'::bigint[])`,
    );
    return atPosition.filter((ref) => asked.has(refKey(ref)));
  }

  async #read(destination: string, condition: string, limit = ''): Promise<RowRef[]> {
    const position = columnReference(this.#table.position);
    const rows = await this.#session.query<{ position: string; id: string }>(
      DOING,
      `SELECT ${position}::bigint AS position, ${textExpression(this.#table.id)} AS id` +
        ` ${fromUnpublished(this.#table, this.#filters, destination)} ${condition} ORDER BY ${position} ${limit}`,
    );
    return rows.map(({ position: text, id }) => ({ position: BigInt(text), id }));
  }
}

function refKey({ position, id }: RowRef): string {
  return `${position}/${id}`;
}
