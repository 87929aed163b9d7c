/** The order service: takes orders, and sees to it that each comes to an end. */
import { transact } from 'outbox-relay/client';
import type pg from 'pg';
import { z } from 'zod';
import { totalOf } from '../catalog.ts';
import { MESSAGES } from '../messages.ts';
import { readConfig } from '../runtime/config.ts';
import type { Answer } from '../runtime/http.ts';
import { runService } from '../runtime/service.ts';
import { Availability } from './availability.ts';
import { choreography } from './choreography.ts';
import { orchestration } from './orchestration.ts';
import { insertOrder, lockExpired, stateOf } from './orders.ts';

const request = z.object({ id: z.uuid(), lines: MESSAGES['order.placed'].shape.lines });

const config = readConfig();
const style = { choreography, orchestration }[config.STYLE];
const availability = new Availability(config.STOCK_URL);

/** The customer names the order, so that asking again places it once. */
async function place(pool: pg.Pool, body: unknown): Promise<Answer> {
  const parsed = request.safeParse(body);
  const total = parsed.success ? totalOf(parsed.data.lines) : null;
  if (!parsed.success || total === null) return { status: 422, body: { error: 'no such order can be placed' } };
  const order = { ...parsed.data, total };
  const known = await stateOf(pool, order.id);
  const soldOut = known === null ? await availability.soldOut(order.lines) : [];
  if (soldOut.length > 0) return { status: 409, body: { soldOut } };
  const insert = async (tx: pg.PoolClient): Promise<void> => {
    if (await insertOrder(tx, order, style.firstState, config.ORDER_TIMEOUT_MS)) await style.begin(tx, order);
  };
  await transact(pool, insert, { idempotent: true });
  return { status: 202, body: { id: order.id, total } };
}

/** One transaction each, so that a fault at one does not hold up the others. */
async function expireOrders(pool: pg.Pool, stopping: AbortSignal): Promise<void> {
  const expireOne = async (tx: pg.PoolClient): Promise<boolean> => {
    const id = await lockExpired(tx);
    if (id !== null) await style.expire(tx, id);
    return id !== null;
  };
  while (!stopping.aborted && (await transact(pool, expireOne, { idempotent: true })));
}

await runService('orders', config, (pool) => ({
  reactions: style.reactions,
  endpoints: { 'POST /orders': (_, body) => place(pool, body) },
  chore: (stopping) => expireOrders(pool, stopping),
}));
