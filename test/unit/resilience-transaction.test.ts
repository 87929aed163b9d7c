import { describe, expect, it, vi } from 'vitest';
import { classifyTransactionError, retryTransaction, type TransactionBody } from '../../src/resilience/index.ts';

const coded = (code: string): Error => Object.assign(new Error('what happened'), { code });
const terminated = new Error('Connection terminated unexpectedly');
const quick = { random: () => 0 };

describe('a failed transaction', () => {
  it.each(['40001', '40P01', 'P2034'])('%s was rolled back, also when COMMIT says so', (code) => {
    expect([false, true].map((sent) => classifyTransactionError(coded(code), sent))).toEqual([
      'transient',
      'transient',
    ]);
  });

  it('in a raw statement of Prisma, whose code says nothing, is known by what it was failed by', () => {
    const raw = (meta: object | undefined): Error => Object.assign(coded('P2010'), { meta });
    const byAdapter = (originalCode: string): object => ({ driverAdapterError: { cause: { originalCode } } });
    for (const code of ['40001', '40P01'])
      for (const meta of [byAdapter(code), { code }])
        expect(classifyTransactionError(raw(meta), false)).toBe('transient');
    for (const meta of [byAdapter('23505'), { code: '23505' }, {}, undefined, { driverAdapterError: null }])
      expect(classifyTransactionError(raw(meta), false)).toBe('permanent');
  });

  it.each([
    ...['08000', '08001', '08003', '08004', '08006', '25006', '53300', '57P01', '57P02', '57P03'].map(coded),
    ...['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT', 'CONNECTION_CLOSED', 'P1017'].map(coded),
    terminated,
    new Error('Failed query', { cause: coded('57P01') }),
    new Error('Failed query', { cause: terminated }),
    new AggregateError([coded('ECONNREFUSED')]),
  ])('by its session (%s) was rolled back before COMMIT, and is unknown after it', (error) => {
    expect([false, true].map((sent) => classifyTransactionError(error, sent))).toEqual(['transient', 'ambiguous']);
  });

  it.each(['08007', '40003'])('%s is unknown by its own saying', (code) => {
    expect([false, true].map((sent) => classifyTransactionError(coded(code), sent))).toEqual([
      'ambiguous',
      'ambiguous',
    ]);
  });

  it.each(['23505', '42P01', '22P02', '57014', '08P01', 'ERR_ASSERTION', 'ENOSPC'])('%s fails again', (code) => {
    expect([false, true].map((sent) => classifyTransactionError(coded(code), sent))).toEqual([
      'permanent',
      'permanent',
    ]);
  });

  it('by anything else fails again', () => {
    expect(classifyTransactionError('text', false)).toBe('permanent');
    expect(classifyTransactionError(new Error('no such product'), false)).toBe('permanent');
  });
});

describe('repeating transactions', () => {
  const committing =
    (commit: () => Promise<void>, work: () => Promise<string> = () => Promise.resolve('done')) =>
    async (body: TransactionBody): Promise<string> => {
      const result = await body(work);
      await commit();
      return result;
    };
  const failingFirst = (error: Error): (() => Promise<void>) =>
    vi.fn(() => Promise.resolve()).mockRejectedValueOnce(error);

  it('begins anew after a deadlock and a lost session in its work', async () => {
    const work = vi
      .fn(() => Promise.resolve('done'))
      .mockRejectedValueOnce(coded('40P01'))
      .mockRejectedValueOnce(terminated);
    expect(
      await retryTransaction(
        committing(() => Promise.resolve(), work),
        quick,
      ),
    ).toBe('done');
    expect(work).toHaveBeenCalledTimes(3);
  });

  it('begins anew when COMMIT is refused by a serialization failure', async () => {
    const commit = failingFirst(coded('40001'));
    expect(await retryTransaction(committing(commit), quick)).toBe('done');
    expect(commit).toHaveBeenCalledTimes(2);
  });

  it('never repeats a COMMIT whose answer was lost', async () => {
    const commit = failingFirst(terminated);
    await expect(retryTransaction(committing(commit), quick)).rejects.toBe(terminated);
    expect(commit).toHaveBeenCalledTimes(1);
  });

  it('but does if a second time has no effect', async () => {
    const commit = failingFirst(terminated);
    expect(await retryTransaction(committing(commit), { ...quick, idempotent: true })).toBe('done');
    expect(commit).toHaveBeenCalledTimes(2);
  });

  it('begins anew when there was no connection to begin with', async () => {
    const connect = failingFirst(coded('ECONNREFUSED'));
    const transaction = async (body: TransactionBody): Promise<string> => {
      await connect();
      return body(() => Promise.resolve('done'));
    };
    expect(await retryTransaction(transaction, quick)).toBe('done');
  });

  it('an ambiguous COMMIT leaves no trace in the next attempt', async () => {
    const commit = vi
      .fn(() => Promise.resolve())
      .mockRejectedValueOnce(coded('40001'))
      .mockResolvedValue();
    const work = vi
      .fn(() => Promise.resolve('done'))
      .mockResolvedValueOnce('first')
      .mockRejectedValueOnce(terminated);
    expect(await retryTransaction(committing(commit, work), quick)).toBe('done');
    expect(work).toHaveBeenCalledTimes(3);
  });

  it('refuses a transaction that does not say where its work ends', async () => {
    await expect(retryTransaction(() => Promise.resolve('done'))).rejects.toThrow(TypeError);
  });

  it('stops when it is cancelled', async () => {
    const caller = new AbortController();
    const connect = vi.fn(() => (caller.abort(new Error('shutting down')), Promise.reject(coded('ECONNREFUSED'))));
    await expect(retryTransaction(connect, { signal: caller.signal })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(connect).toHaveBeenCalledTimes(1);
  });
});
