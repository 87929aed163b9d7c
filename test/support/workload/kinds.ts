import { pause } from '../simulation/random.ts';
import type { Transaction } from './transaction.ts';

/** The keys of one transaction, in an order that all writers share, so that they seldom deadlock. */
export type KeyChooser = (count: number) => string[];

/** One kind of transaction. `name` is unique among prepared transactions. */
export type TransactionKind = (transaction: Transaction, keys: KeyChooser, name: string) => Promise<void>;

/** How applications write outbox rows. */
export const TRANSACTION_KINDS = {
  plain: async (transaction, keys) => {
    await transaction.run('BEGIN');
    await transaction.insert(...keys(1));
    await transaction.commit();
  },

  'multi-row': async (transaction, keys) => {
    await transaction.run('BEGIN');
    await transaction.insert(...keys(2 + transaction.random.below(8)));
    await transaction.commit();
  },

  savepoints: async (transaction, keys) => {
    const [first = '', second = '', third = '', fourth = ''] = keys(4);
    await transaction.run('BEGIN');
    await transaction.insert(first);
    await transaction.undo(() => transaction.insert(second, third));
    await transaction.run('SAVEPOINT kept');
    await transaction.insert(third);
    await transaction.run('RELEASE SAVEPOINT kept');
    await transaction.insert(fourth);
    await transaction.commit();
  },

  'rolled-back': async (transaction, keys) => {
    await transaction.run('BEGIN');
    await transaction.insert(...keys(1 + transaction.random.below(3)));
    await transaction.run('ROLLBACK');
  },

  long: async (transaction, keys) => {
    const [first = '', second = ''] = keys(2);
    await transaction.run('BEGIN');
    await transaction.insert(first);
    await pause(100 + transaction.random.below(400));
    await transaction.insert(second);
    await transaction.commit();
  },

  prepared: async (transaction, keys, name) => {
    await transaction.run('BEGIN');
    await transaction.insert(...keys(2));
    await transaction.prepare(name);
    await pause(transaction.random.below(100));
    if (transaction.random.chance(0.2)) await transaction.rollbackPrepared(name);
    else await transaction.commit(`COMMIT PREPARED '${name}'`);
  },

  copy: async (transaction, keys) => {
    await transaction.run('BEGIN');
    await transaction.copy(...keys(1 + transaction.random.below(20)));
    await transaction.commit();
  },

  async: async (transaction, keys) => {
    await transaction.run('BEGIN; SET LOCAL synchronous_commit = off');
    await transaction.insert(...keys(1));
    await transaction.commit('COMMIT', 'committed-async');
  },
} satisfies Readonly<Record<string, TransactionKind>>;

export type TransactionKindName = keyof typeof TRANSACTION_KINDS;

/** How often each kind is chosen, relative to the others. */
export type Mix = Readonly<Partial<Record<TransactionKindName, number>>>;

export const DEFAULT_MIX: Mix = {
  plain: 8,
  'multi-row': 3,
  savepoints: 2,
  'rolled-back': 2,
  long: 1,
  prepared: 1,
  copy: 1,
  async: 3,
};
