import type pg from 'pg';
import { RelayError } from '../core/errors.ts';
import { destroyConnection } from './connection.ts';

/**
 * Bounds the wait for an answer. A server that is frozen, or a network that swallows packets, fails nothing by itself
 * for minutes; closing the socket does.
 *
 * @throws RelayError `postgres_unreachable` when there is no answer in time; then the connection is closed. What `work`
 *   rejects with, else.
 */
export async function withinDeadline<T>(client: pg.Client, milliseconds: number, work: Promise<T>): Promise<T> {
  let expired = false as boolean;
  const timer = setTimeout(() => {
    expired = true;
    destroyConnection(client);
  }, milliseconds);
  try {
    return await work;
  } catch (error) {
    if (!expired) throw error;
    throw new RelayError('postgres_unreachable', `no answer within ${milliseconds} ms`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
