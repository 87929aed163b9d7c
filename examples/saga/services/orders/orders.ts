import type pg from 'pg';
import type { OrderLines } from '../messages.ts';

export interface Order {
  readonly id: string;
  readonly lines: OrderLines;
  /** In cents. */
  readonly total: number;
}

/** `pending` in a choreography; the steps of the saga in an orchestration; the last two are final. */
export type OrderState = 'pending' | 'reserving' | 'charging' | 'compensating' | 'completed' | 'cancelled';

export const ORDER_TABLES = `
  CREATE TABLE orders (
    id         uuid        PRIMARY KEY,
    lines      jsonb       NOT NULL,
    total      integer     NOT NULL,
    state      text        NOT NULL,
    reason     text,
    awaiting   text[]      NOT NULL DEFAULT '{}',
    expires_at timestamptz NOT NULL
  );
  CREATE INDEX ON orders (expires_at) WHERE state IN ('pending', 'reserving', 'charging');
`;

/** @returns false when it is there already: the customer has asked again */
export async function insertOrder(
  tx: pg.PoolClient,
  { id, lines, total }: Order,
  state: OrderState,
  timeoutMs: number,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `INSERT INTO orders (id, lines, total, state, expires_at)
     VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5::float8 / 1000)) ON CONFLICT (id) DO NOTHING`,
    [id, JSON.stringify(lines), total, state, timeoutMs],
  );
  return rowCount === 1;
}

/** Ends a pending order. @returns false when it has ended before */
export async function endOrder(
  tx: pg.PoolClient,
  id: string,
  state: 'completed' | 'cancelled',
  reason: string | null,
): Promise<boolean> {
  const { rowCount } = await tx.query(`UPDATE orders SET state = $2, reason = $3 WHERE id = $1 AND state = 'pending'`, [
    id,
    state,
    reason,
  ]);
  return rowCount === 1;
}

/** Locks an order whose time is over; null when there is none. */
export async function lockExpired(tx: pg.PoolClient): Promise<string | null> {
  const { rows } = await tx.query<{ id: string }>(
    `SELECT id FROM orders WHERE state IN ('pending', 'reserving', 'charging') AND expires_at < now()
     ORDER BY expires_at LIMIT 1 FOR UPDATE SKIP LOCKED`,
  );
  return rows[0]?.id ?? null;
}

export async function stateOf(pool: pg.Pool, id: string): Promise<OrderState | null> {
  const { rows } = await pool.query<{ state: OrderState }>('SELECT state FROM orders WHERE id = $1', [id]);
  return rows[0]?.state ?? null;
}
