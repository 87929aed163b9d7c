import type pg from 'pg';
import { type OrderLines, send } from '../messages.ts';
import type { Reactions } from '../runtime/consumer.ts';
import { release, reserve, ship } from './stock.ts';

/** Stock reacts to what becomes of orders. */
export const choreography: Reactions = {
  'order.placed': (tx, { orderId, lines }) => tryToReserve(tx, orderId, lines),
  'order.completed': (tx, { orderId }) => ship(tx, orderId),
  'order.cancelled': (tx, { orderId }) => release(tx, orderId),
};

/** Stock does what it is told, and says that it is done. */
export const orchestration: Reactions = {
  'stock.reserve': (tx, { orderId, lines }) => tryToReserve(tx, orderId, lines),
  'stock.ship': (tx, { orderId }) => ship(tx, orderId),
  'stock.release': async (tx, { orderId }) => {
    await release(tx, orderId);
    await send(tx, 'stock.released', { orderId });
  },
};

async function tryToReserve(tx: pg.PoolClient, orderId: string, lines: OrderLines): Promise<void> {
  const reserved = await reserve(tx, orderId, lines);
  await send(tx, reserved ? 'stock.reserved' : 'stock.rejected', { orderId });
}
