/** The libraries that `outbox-relay/client` has entry points for, each set up and used as an application would. */
import { PrismaPg } from '@prisma/adapter-pg';
import { sql as drizzleSql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import knex from 'knex';
import { Kysely, PostgresDialect, sql as kyselySql } from 'kysely';
import pg from 'pg';
import { DataSource } from 'typeorm';
import * as onDrizzle from '../../src/client/drizzle.ts';
import * as onPg from '../../src/client/index.ts';
import * as onKnex from '../../src/client/knex.ts';
import * as onKysely from '../../src/client/kysely.ts';
import * as onPrisma from '../../src/client/prisma.ts';
import * as onTypeOrm from '../../src/client/typeorm.ts';
import { prismaClient, type PrismaTransactionClient } from './prisma-client.ts';

type Message = onPg.OutboxMessage;

/** What a test does within a transaction: the events, and the change that they tell of, a row in `orders`. */
export interface Work {
  readonly publish: (message: Message) => Promise<string>;
  readonly publishAll: (messages: readonly Message[]) => Promise<string[]>;
  readonly change: (id: number) => Promise<unknown>;
}

/** A library, connected. */
export interface Opened {
  /** Runs a transaction of the library; it rolls back when `work` throws. */
  inTransaction<T>(options: onPg.OutboxOptions, work: (work: Work) => Promise<T>): Promise<T>;
  /** Publishes through each thing that is easily taken for a transaction, by what it is. */
  readonly outside: Readonly<Record<string, (message: Message) => Promise<string>>>;
  close(): Promise<unknown>;
}

/** A library's own words for what tests do. */
interface Terms<Tx> {
  readonly createOutbox: (options: onPg.OutboxOptions) => onPg.Outbox<Tx>;
  readonly transaction: <T>(work: (tx: Tx) => Promise<T>) => Promise<T>;
  readonly change: (tx: Tx, id: number) => Promise<unknown>;
  /** What is no transaction, whatever the types say. */
  readonly outside: Readonly<Record<string, unknown>>;
  readonly close: () => Promise<unknown>;
}

const INSERT = 'INSERT INTO orders (id) VALUES';

function opened<Tx>({ createOutbox, transaction, change, outside, close }: Terms<Tx>): Opened {
  return {
    inTransaction(options, work) {
      const outbox = createOutbox(options);
      return transaction((tx) =>
        work({
          publish: (message) => outbox.publish(tx, message),
          publishAll: (messages) => outbox.publishAll(tx, messages),
          change: (id) => change(tx, id),
        }),
      );
    },
    outside: Object.fromEntries(
      Object.entries(outside).map(([name, tx]) => [
        name,
        (message: Message) => createOutbox({}).publish(tx as Tx, message),
      ]),
    ),
    close,
  };
}

async function openPg(url: string): Promise<Opened> {
  const pool = new pg.Pool({ connectionString: url });
  const idle = await pool.connect();
  return opened<pg.PoolClient>({
    createOutbox: onPg.createOutbox,
    transaction: (work) => onPg.transact(pool, work),
    change: (tx, id) => tx.query(`${INSERT} ($1)`, [id]),
    outside: { 'the pool': pool, 'a client without BEGIN': idle },
    close: () => {
      idle.release();
      return pool.end();
    },
  });
}

function openKnex(url: string): Opened {
  const db = knex({ client: 'pg', connection: url });
  return opened<knex.Knex.Transaction>({
    createOutbox: onKnex.createOutbox,
    transaction: (work) => db.transaction(work),
    change: (tx, id) => tx('orders').insert({ id }),
    outside: { knex: db },
    close: () => db.destroy(),
  });
}

function openKysely(url: string): Opened {
  const db = new Kysely<{ orders: { id: number } }>({
    dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: url }) }),
  });
  return opened<Parameters<Parameters<ReturnType<typeof db.transaction>['execute']>[0]>[0]>({
    createOutbox: onKysely.createOutbox,
    transaction: (work) => db.transaction().execute(work),
    change: (tx, id) => kyselySql`INSERT INTO orders (id) VALUES (${id})`.execute(tx),
    outside: { 'the Kysely instance': db },
    close: () => db.destroy(),
  });
}

function openDrizzle(url: string): Opened {
  const pool = new pg.Pool({ connectionString: url });
  const db = drizzle(pool);
  return opened<Parameters<Parameters<typeof db.transaction>[0]>[0]>({
    createOutbox: onDrizzle.createOutbox,
    transaction: (work) => db.transaction(work),
    change: (tx, id) => tx.execute(drizzleSql`INSERT INTO orders (id) VALUES (${id})`),
    outside: { 'the database': db },
    close: () => pool.end(),
  });
}

function openPrisma(url: string): Opened {
  const prisma = prismaClient(new PrismaPg({ connectionString: url }));
  return opened<PrismaTransactionClient>({
    createOutbox: onPrisma.createOutbox,
    transaction: (work) => prisma.$transaction(work, { timeout: 60_000 }),
    change: (tx, id) => tx.order.create({ data: { id } }),
    outside: { 'the PrismaClient': prisma, 'an extended PrismaClient': prisma.$extends({}) },
    close: () => prisma.$disconnect(),
  });
}

async function openTypeOrm(url: string): Promise<Opened> {
  const source = await new DataSource({ type: 'postgres', url }).initialize();
  const runner = source.createQueryRunner();
  return opened<onTypeOrm.TypeOrmTransaction>({
    createOutbox: onTypeOrm.createOutbox,
    transaction: (work) => source.transaction((manager) => work(manager)),
    change: (tx, id) => tx.query(`${INSERT} ($1)`, [`${id}`]),
    outside: { 'the DataSource': source, 'its manager': source.manager, 'a QueryRunner that has not begun': runner },
    close: async () => {
      await runner.release();
      await source.destroy();
    },
  });
}

/** All of them, by name. */
export const CLIENT_LIBRARIES: readonly (readonly [name: string, open: (url: string) => Opened | Promise<Opened>])[] = [
  ['pg', openPg],
  ['Knex', openKnex],
  ['Kysely', openKysely],
  ['Drizzle', openDrizzle],
  ['Prisma', openPrisma],
  ['TypeORM', openTypeOrm],
];
