import type pg from 'pg';
import { send } from '../messages.ts';
import type { Reactions } from '../runtime/consumer.ts';
import { makeDue, noteAmount, reverse } from './payments.ts';

export interface PaymentStyle {
  readonly reactions: Reactions;
  /** The money is back, or it is certain that it was never taken. */
  readonly reversed: (tx: pg.PoolClient, orderId: string) => Promise<unknown>;
}

/**
 * Payments react to what becomes of orders and stock. That is told by two services, so in any order: amount and reservation
 * are noted as they come, and a cancellation that comes first leaves its mark.
 */
export const choreography: PaymentStyle = {
  reactions: {
    'order.placed': (tx, { orderId, total }) => noteAmount(tx, orderId, total),
    'stock.reserved': (tx, { orderId }) => makeDue(tx, orderId),
    'order.cancelled': (tx, { orderId }) => reverse(tx, orderId),
  },
  reversed: () => Promise.resolve(),
};

const sayReversed = (tx: pg.PoolClient, orderId: string): Promise<void> => send(tx, 'payment.reversed', { orderId });

/** Payments do what they are told, and say that it is done. */
export const orchestration: PaymentStyle = {
  reactions: {
    'payment.charge': async (tx, { orderId, total }) => {
      await noteAmount(tx, orderId, total);
      await makeDue(tx, orderId);
    },
    'payment.reverse': async (tx, { orderId }) => {
      if ((await reverse(tx, orderId)) !== 'reversing') await sayReversed(tx, orderId);
    },
  },
  reversed: sayReversed,
};
