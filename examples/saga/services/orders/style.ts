import type pg from 'pg';
import type { Reactions } from '../runtime/consumer.ts';
import type { Order, OrderState } from './orders.ts';

/** How orders come to their ends. */
export interface OrderStyle {
  readonly firstState: OrderState;
  /** Has the others begin, in the transaction that makes the order. */
  readonly begin: (tx: pg.PoolClient, order: Order) => Promise<unknown>;
  readonly reactions: Reactions;
  /** The order's time is over, and it is not paid; it is locked by `tx`. */
  readonly expire: (tx: pg.PoolClient, orderId: string) => Promise<unknown>;
}
