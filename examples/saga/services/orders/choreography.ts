import type pg from 'pg';
import { send } from '../messages.ts';
import { log } from '../runtime/log.ts';
import { endOrder } from './orders.ts';
import type { OrderStyle } from './style.ts';

/**
 * Nobody leads: each service reacts to what the others say has happened.
 *
 *     orders:   order.placed                                payment.taken ──> order.completed (stock ships)
 *                   └─> stock: stock.reserved ─> payments: ──┤
 *                              stock.rejected               payment.declined
 *                                   └───────────────────────────┴───> order.cancelled (stock releases, payments give back)
 *
 * An order whose time is over is cancelled in the same way; a payment that is taken after that is given back, since
 * payments hear of the cancellation too.
 */
export const choreography: OrderStyle = {
  firstState: 'pending',
  begin: (tx, { id, lines, total }) => send(tx, 'order.placed', { orderId: id, lines, total }),
  reactions: {
    'stock.rejected': (tx, { orderId }) => cancel(tx, orderId, 'out of stock'),
    'payment.declined': (tx, { orderId }) => cancel(tx, orderId, 'payment declined'),
    'payment.taken': async (tx, { orderId }) => {
      if (await endOrder(tx, orderId, 'completed', null)) await send(tx, 'order.completed', { orderId });
      else log('late-reply', { orderId, type: 'payment.taken' });
    },
  },
  expire: (tx, orderId) => cancel(tx, orderId, 'timed out'),
};

async function cancel(tx: pg.PoolClient, orderId: string, reason: string): Promise<void> {
  if (await endOrder(tx, orderId, 'cancelled', reason)) await send(tx, 'order.cancelled', { orderId, reason });
  else log('late-reply', { orderId, reason });
}
