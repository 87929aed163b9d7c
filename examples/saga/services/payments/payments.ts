import type pg from 'pg';

/**
 * What has become of an order's payment:
 *
 *     waiting ──> due ──> taken ──> reversing ──> reversed
 *        │         ├────> declined      ^
 *        │         └────────────────────┘
 *        └──> void
 */
export type PaymentState = 'waiting' | 'due' | 'taken' | 'declined' | 'reversing' | 'reversed' | 'void';

export const PAYMENT_TABLES = `
  CREATE TABLE payments (
    order_id   uuid        PRIMARY KEY,
    amount     integer,
    state      text        NOT NULL,
    try_after  timestamptz NOT NULL DEFAULT now()
  );
  CREATE INDEX ON payments (try_after) WHERE state IN ('due', 'reversing');
`;

/** A payment at which the provider has to do something. */
export interface OpenPayment {
  readonly orderId: string;
  readonly amount: number;
  readonly state: 'due' | 'reversing';
}

/** Learns what an order costs. */
export async function noteAmount(tx: pg.PoolClient, orderId: string, amount: number): Promise<void> {
  await tx.query(
    `INSERT INTO payments (order_id, amount, state) VALUES ($1, $2, 'waiting')
     ON CONFLICT (order_id) DO UPDATE SET amount = excluded.amount`,
    [orderId, amount],
  );
}

/** Has it charged, as soon as the amount is known; not if the order was cancelled before. */
export async function makeDue(tx: pg.PoolClient, orderId: string): Promise<void> {
  await tx.query(
    `INSERT INTO payments (order_id, state) VALUES ($1, 'due')
     ON CONFLICT (order_id) DO UPDATE SET state = 'due', try_after = now() WHERE payments.state = 'waiting'`,
    [orderId],
  );
}

/**
 * Has it given back, if it was charged or may have been, and never charged from now on.
 *
 * @returns `reversing` when the provider has to be asked; any other state is final
 */
export async function reverse(tx: pg.PoolClient, orderId: string): Promise<PaymentState> {
  const { rows } = await tx.query<{ state: PaymentState }>(
    `INSERT INTO payments (order_id, state) VALUES ($1, 'void')
     ON CONFLICT (order_id) DO UPDATE SET try_after = now(), state = CASE
       WHEN payments.state IN ('due', 'taken') THEN 'reversing' WHEN payments.state = 'waiting' THEN 'void'
       ELSE payments.state END
     RETURNING state`,
    [orderId],
  );
  return rows[0]?.state ?? 'void';
}

/** Those at which the provider has to do something, and whose turn it is, the longest waiting first. */
export async function openPayments(pool: pg.Pool, but: readonly string[], limit: number): Promise<OpenPayment[]> {
  const { rows } = await pool.query<OpenPayment>(
    `SELECT order_id AS "orderId", coalesce(amount, 0) AS amount, state FROM payments
     WHERE (state = 'reversing' OR state = 'due' AND amount IS NOT NULL)
       AND try_after <= now() AND order_id <> ALL ($1::uuid[])
     ORDER BY try_after LIMIT $2`,
    [but, limit],
  );
  return rows;
}

/** @returns whether it was in the state `from`; else somebody has changed it meanwhile */
export async function move(
  tx: pg.PoolClient,
  orderId: string,
  from: OpenPayment['state'],
  to: PaymentState,
): Promise<boolean> {
  const { rowCount } = await tx.query('UPDATE payments SET state = $3 WHERE order_id = $1 AND state = $2', [
    orderId,
    from,
    to,
  ]);
  return rowCount === 1;
}

/** Lets others go first: its turn comes again within a second, at random, so that those put off together do not come together. */
export async function putOff(pool: pg.Pool, orderId: string): Promise<void> {
  await pool.query("UPDATE payments SET try_after = now() + random() * interval '1 s' WHERE order_id = $1", [orderId]);
}
