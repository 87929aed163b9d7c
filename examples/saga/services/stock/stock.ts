import type pg from 'pg';
import { CATALOG } from '../catalog.ts';
import type { OrderLines } from '../messages.ts';

export const STOCK_TABLES = `
  CREATE TABLE items (
    sku     text    PRIMARY KEY,
    on_hand integer NOT NULL,
    held    integer NOT NULL DEFAULT 0,
    CHECK (held BETWEEN 0 AND on_hand)
  );
  -- no key: that each message is handled once is what the inbox is for
  CREATE TABLE holds (order_id uuid NOT NULL, sku text NOT NULL, quantity integer NOT NULL);
  CREATE INDEX ON holds (order_id);
  INSERT INTO items (sku, on_hand) VALUES ${Object.entries(CATALOG)
    .map(([sku, { onHand }]) => `('${sku}', ${onHand})`)
    .join(', ')};
`;

/** Holds what an order needs, all of it or nothing. @returns whether there is enough */
export async function reserve(tx: pg.PoolClient, orderId: string, lines: OrderLines): Promise<boolean> {
  const skus = lines.map(({ sku }) => sku);
  const quantities = lines.map(({ quantity }) => quantity);
  const { rows } = await tx.query<{ sku: string; free: number }>(
    'SELECT sku, on_hand - held AS free FROM items WHERE sku = ANY ($1::text[]) ORDER BY sku FOR UPDATE',
    [skus],
  );
  const free = new Map(rows.map((row) => [row.sku, row.free]));
  if (lines.some(({ sku, quantity }) => (free.get(sku) ?? 0) < quantity)) return false;
  await tx.query(
    `WITH wanted AS (SELECT * FROM unnest($2::text[], $3::int[]) AS line (sku, quantity)),
          held AS (UPDATE items SET held = held + quantity FROM wanted WHERE items.sku = wanted.sku)
     INSERT INTO holds SELECT $1, sku, quantity FROM wanted`,
    [orderId, skus, quantities],
  );
  return true;
}

/** What was held for the order leaves the house. */
export async function ship(tx: pg.PoolClient, orderId: string): Promise<void> {
  await tx.query(
    `WITH gone AS (DELETE FROM holds WHERE order_id = $1 RETURNING sku, quantity)
     UPDATE items SET on_hand = on_hand - quantity, held = held - quantity FROM gone WHERE items.sku = gone.sku`,
    [orderId],
  );
}

/** What was held for the order, if anything, is for others again. */
export async function release(tx: pg.PoolClient, orderId: string): Promise<void> {
  await tx.query(
    `WITH gone AS (DELETE FROM holds WHERE order_id = $1 RETURNING sku, quantity)
     UPDATE items SET held = held - quantity FROM gone WHERE items.sku = gone.sku`,
    [orderId],
  );
}

/** Which of these are sold out. Only a hint: by the time that an order comes it may be otherwise. */
export async function soldOut(pool: pg.Pool, skus: readonly string[]): Promise<string[]> {
  const { rows } = await pool.query<{ sku: string }>(
    'SELECT sku FROM items WHERE sku = ANY ($1::text[]) AND held >= on_hand',
    [skus],
  );
  return rows.map(({ sku }) => sku);
}
