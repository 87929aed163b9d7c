import type pg from 'pg';
import type { Facts, OrderFact } from './accounting.ts';
import type { Listener } from './listener.ts';
import type { PaymentProvider } from './provider.ts';
import { CATALOG } from './services/catalog.ts';
import { type Ground, type ServiceName, SERVICES, type Stage, withClient } from './stage.ts';

type Row = Record<string, unknown>;

/** Where facts come from, besides the services. */
export interface Witnesses {
  readonly provider: PaymentProvider;
  readonly listener: Listener;
  /** What customers were told is placed. */
  readonly accepted: readonly string[];
}

/** Reads from databases, broker and provider how things stand. */
export function readFacts({ rabbitmq }: Ground, { databases, exchange }: Stage, witnesses: Witnesses): Promise<Facts> {
  const { orders, payments, stock } = databases;
  return withClient(orders, (ofOrders) =>
    withClient(payments, (ofPayments) =>
      withClient(stock, async (ofStock) => {
        const sessions = { orders: ofOrders, payments: ofPayments, stock: ofStock };
        const facts = await readTables(sessions, witnesses);
        return { ...facts, onTheWay: { ...facts.onTheWay, ...(await queued(rabbitmq, exchange)) } };
      }),
    ),
  );
}

async function readTables(
  sessions: Readonly<Record<ServiceName, pg.Client>>,
  { provider, listener, accepted }: Witnesses,
): Promise<Facts> {
  const read = async <T extends Row>(service: ServiceName, sql: string): Promise<T[]> =>
    (await sessions[service].query<T>(sql)).rows;
  const counts = async (table: string, name: (service: string) => string): Promise<Record<string, number>> => {
    const counted = SERVICES.map(async (service): Promise<[string, number]> => {
      const [row] = await read<{ count: number }>(service, `SELECT count(*)::int AS count FROM ${table}`);
      return [name(service), row?.count ?? 0];
    });
    return Object.fromEntries(await Promise.all(counted));
  };
  const items = await read<{ sku: string; onHand: number; held: number }>(
    'stock',
    'SELECT sku, on_hand AS "onHand", held FROM items',
  );
  const holds = await read<{ id: string }>('stock', 'SELECT DISTINCT order_id AS id FROM holds');
  return {
    accepted,
    orders: await read<OrderFact & Row>('orders', 'SELECT id, state, total, lines, reason FROM orders'),
    items: items.map((item) => ({ ...item, initial: CATALOG[item.sku]?.onHand ?? 0 })),
    holds: holds.map(({ id }) => id),
    payments: await read('payments', 'SELECT order_id AS "orderId", state FROM payments'),
    money: [...provider.entries],
    said: listener.said,
    onTheWay: await counts('outbox', (service) => `the outbox of ${service}`),
    deadLetters: await counts('inbox_dead_letters', (service) => service),
  };
}

/** Messages that wait or are not acknowledged. */
async function queued(rabbitmq: Ground['rabbitmq'], exchange: string): Promise<Record<string, number>> {
  const queues = (await rabbitmq.management('GET', '/queues/%2F')) as { name: string; messages?: number }[];
  const own = queues.filter(({ name }) => name.startsWith(`${exchange}.`));
  return Object.fromEntries(own.map(({ name, messages }) => [`the queue ${name}`, messages ?? 0]));
}
