import { createOutbox, type MessageOf, type PgTransaction } from 'outbox-relay/client';
import { z } from 'zod';

const orderId = z.uuid();
const ofOrder = z.object({ orderId });
const lines = z.array(z.object({ sku: z.string().min(1), quantity: z.int().positive() })).min(1);
const total = z.int().positive();

/** All that the services say to one another: the contract between them, checked where a message is written and where it is read. */
export const MESSAGES = {
  // what has happened: whoever is concerned reacts
  'order.placed': z.object({ orderId, lines, total }),
  'order.completed': ofOrder,
  'order.cancelled': z.object({ orderId, reason: z.string() }),
  'stock.reserved': ofOrder,
  'stock.rejected': ofOrder,
  'stock.released': ofOrder,
  'payment.taken': ofOrder,
  'payment.declined': ofOrder,
  'payment.reversed': ofOrder,
  // what somebody is to do: only the orchestrator says so
  'stock.reserve': z.object({ orderId, lines }),
  'stock.ship': ofOrder,
  'stock.release': ofOrder,
  'payment.charge': z.object({ orderId, total }),
  'payment.reverse': ofOrder,
};

export type Messages = { [Type in MessageType]: z.infer<(typeof MESSAGES)[Type]> };
export type MessageType = keyof typeof MESSAGES;
export type OrderLines = Messages['order.placed']['lines'];

export const isMessageType = (type: string | null): type is MessageType =>
  type !== null && Object.hasOwn(MESSAGES, type);

const outbox = createOutbox<Messages>({ events: MESSAGES });

/** Says something to the other services, if and only if `tx` commits. All about one order has its id as key, so it stays in order. */
export async function send<Type extends MessageType>(
  tx: PgTransaction,
  type: Type,
  payload: Messages[Type],
): Promise<void> {
  const message = { aggregateType: 'order', aggregateId: payload.orderId, type, payload };
  await outbox.publish(tx, message as MessageOf<Messages>);
}
