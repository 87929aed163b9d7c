import type { Facts, OrderFact } from './accounting.ts';
import type { PaymentProvider } from './provider.ts';
import { CATALOG } from './services/catalog.ts';
import { type Ground, type ServiceName, SERVICES, type Stage, withClient } from './stage.ts';

type Row = Record<string, unknown>;

/** Reads from databases, broker and provider how things stand. */
export async function readFacts(
  { rabbitmq }: Ground,
  { databases, exchange }: Stage,
  provider: PaymentProvider,
  accepted: readonly string[],
): Promise<Facts> {
  const read = <T extends Row>(service: ServiceName, sql: string): Promise<T[]> =>
    withClient(databases[service], async (client) => (await client.query<T>(sql)).rows);
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
    onTheWay: {
      ...(await counts('outbox', (service) => `the outbox of ${service}`)),
      ...(await queued(rabbitmq, exchange)),
    },
    deadLetters: await counts('inbox_dead_letters', (service) => service),
  };
}

/** Messages that wait or are not acknowledged. */
async function queued(rabbitmq: Ground['rabbitmq'], exchange: string): Promise<Record<string, number>> {
  const queues = (await rabbitmq.management('GET', '/queues/%2F')) as { name: string; messages?: number }[];
  const own = queues.filter(({ name }) => name.startsWith(`${exchange}.`));
  return Object.fromEntries(own.map(({ name, messages }) => [`the queue ${name}`, messages ?? 0]));
}
