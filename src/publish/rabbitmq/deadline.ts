import { RelayError } from '../../core/errors.ts';
import { within } from '../within.ts';

/**
 * Waits no longer than `ms`: several promises of amqplib never settle when the broker is silent. What comes of the
 * promise afterwards is ignored.
 *
 * @throws RelayError `broker_timeout` when it takes longer
 */
export function withDeadline<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  return within(promise, ms, () => {
    throw new RelayError('broker_timeout', `${what}: no answer within ${ms} ms`);
  });
}
