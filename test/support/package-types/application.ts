/** What an application in TypeScript may write against the packed package, and what its compiler must refuse: never run. */
import type { Consumer } from '@platformatic/kafka';
import type amqp from 'amqplib';
import { drizzle } from 'drizzle-orm/node-postgres';
import kafkajs from 'kafkajs';
import knex from 'knex';
import { Kysely, PostgresDialect } from 'kysely';
import { createOutbox, OutboxError, publish, type PgTransaction, transact } from 'outbox-relay/client';
import * as onDrizzle from 'outbox-relay/client/drizzle';
import * as onKnex from 'outbox-relay/client/knex';
import * as onKysely from 'outbox-relay/client/kysely';
import * as onPrisma from 'outbox-relay/client/prisma';
import * as onTypeOrm from 'outbox-relay/client/typeorm';
import { createInbox, type InboxMessage } from 'outbox-relay/inbox';
import * as onAmqplib from 'outbox-relay/inbox/amqplib';
import * as onKafkajs from 'outbox-relay/inbox/kafkajs';
import * as onPlatformatic from 'outbox-relay/inbox/platformatic-kafka';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { z } from 'zod';

const order = { aggregateType: 'order', aggregateId: '42' };
const paid = { ...order, type: 'order.paid' as const, payload: { amount: 5 } };

export async function typedEvents(tx: PgTransaction): Promise<readonly string[]> {
  const byType = createOutbox<{ 'order.paid': { amount: number } }>();
  const bySchema = createOutbox({ events: { 'order.paid': z.object({ amount: z.number() }), named: z.string() } });
  // @ts-expect-error a payload of another type
  await byType.publish(tx, { ...paid, payload: { amount: '5' } });
  // @ts-expect-error an event that is none
  await byType.publish(tx, { ...paid, type: 'order.payed' });
  // @ts-expect-error the payload of another event
  await bySchema.publish(tx, { ...paid, type: 'named' });
  // @ts-expect-error no key
  await publish(tx, { aggregateType: 'order', type: 'x', payload: null });
  return [
    await byType.publish(tx, paid),
    ...(await bySchema.publishAll(tx, [paid, { ...order, type: 'named', payload: 'x' }])),
  ];
}

export async function throughPg(pool: pg.Pool): Promise<string> {
  // @ts-expect-error a pool is no transaction
  await publish(pool, paid);
  return transact(pool, async (tx) => {
    await tx.query('SELECT 1');
    return publish(tx, paid);
  });
}

export async function throughLibraries(pool: pg.Pool): Promise<void> {
  const byKnex = knex({ client: 'pg' });
  await byKnex.transaction((trx) => onKnex.publish(trx, paid));
  // @ts-expect-error no transaction
  await onKnex.publish(byKnex, paid);

  const byKysely = new Kysely<object>({ dialect: new PostgresDialect({ pool }) });
  await byKysely.transaction().execute((tx) => onKysely.publish(tx, paid));
  // @ts-expect-error no transaction
  await onKysely.publish(byKysely, paid);

  const byDrizzle = drizzle(pool);
  await byDrizzle.transaction((tx) => onDrizzle.publish(tx, paid));
  // @ts-expect-error no transaction
  await onDrizzle.publish(byDrizzle, paid);

  const byTypeOrm = new DataSource({ type: 'postgres' });
  await byTypeOrm.transaction((manager) => onTypeOrm.publish(manager, paid));

  // @ts-expect-error a PrismaClient connects, which its transactions do not
  await onPrisma.publish({ $queryRawUnsafe: () => Promise.resolve([]), $connect: () => Promise.resolve() }, paid);
}

/** The clients as they come, without a type of the inbox's; of @platformatic/kafka another version, too. */
export async function throughBrokers(
  pool: pg.Pool,
  channel: amqp.ConfirmChannel,
  consumer: Consumer,
  texts: Consumer<string, string, string, string>,
  older: Omit<Consumer<string, string, string, string>, never>,
): Promise<void> {
  const inbox = createInbox({ pool, consumer: 'billing' });
  const handler = async (tx: pg.PoolClient, message: InboxMessage): Promise<void> => {
    await publish(tx, { ...order, type: 'order.seen', payload: message.payload });
  };
  await onAmqplib.consume(inbox, { channel, queue: 'billing', handler });
  await onKafkajs.consume(inbox, { consumer: new kafkajs.Kafka({ brokers: [] }).consumer({ groupId: 'a' }), handler });
  for (const each of [consumer, texts, older])
    await onPlatformatic.consume(inbox, { consumer: each, topics: ['order'], handler });
}

export const codeOf = (error: unknown): string | null => (error instanceof OutboxError ? error.code : null);
