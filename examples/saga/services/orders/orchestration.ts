import type pg from 'pg';
import { type OrderLines, send } from '../messages.ts';
import { log } from '../runtime/log.ts';
import { advance, BEGIN, type Saga, type SagaCommand, type SagaEvent } from './saga.ts';
import type { Order } from './orders.ts';
import type { OrderStyle } from './style.ts';

const REPLIES = [
  ...(['stock.reserved', 'stock.rejected', 'stock.released'] as const),
  ...(['payment.taken', 'payment.declined', 'payment.reversed'] as const),
];

/** The order service leads: it tells the others what to do, one step of the saga after the other, and knows where each order is. */
export const orchestration: OrderStyle = {
  firstState: BEGIN.saga.step,
  begin: (tx, order) => tell(tx, order, BEGIN.commands),
  reactions: Object.fromEntries(
    REPLIES.map((reply) => [
      reply,
      (tx: pg.PoolClient, { orderId }: { orderId: string }) => proceed(tx, orderId, reply),
    ]),
  ),
  expire: (tx, orderId) => proceed(tx, orderId, 'timeout'),
};

/** Takes one step, and tells who has to do something about it: in one transaction, so that neither is without the other. */
async function proceed(tx: pg.PoolClient, orderId: string, event: SagaEvent): Promise<void> {
  const { rows } = await tx.query<Saga & { lines: OrderLines; total: number }>(
    'SELECT state AS step, awaiting, reason, lines, total FROM orders WHERE id = $1 FOR UPDATE',
    [orderId],
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`no order ${orderId}`);
  const next = advance(row, event);
  if (next === null) {
    log('late-reply', { orderId, type: event, step: row.step });
    return;
  }
  const { step, awaiting, reason } = next.saga;
  await tx.query('UPDATE orders SET state = $2, awaiting = $3, reason = $4 WHERE id = $1', [
    ...[orderId, step, awaiting, reason],
  ]);
  await tell(tx, { id: orderId, lines: row.lines, total: row.total }, next.commands);
}

async function tell(tx: pg.PoolClient, { id, lines, total }: Order, commands: readonly SagaCommand[]): Promise<void> {
  for (const command of commands) {
    if (command === 'stock.reserve') await send(tx, command, { orderId: id, lines });
    else if (command === 'payment.charge') await send(tx, command, { orderId: id, total });
    else await send(tx, command, { orderId: id });
  }
}
