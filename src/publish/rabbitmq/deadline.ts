import { RelayError } from '../../core/errors.ts';

/**
 * Waits no longer than `ms`: several promises of amqplib never settle when the broker is silent. What comes of the
 * promise afterwards is ignored.
 *
 * @throws RelayError `broker_timeout` when it takes longer
 */
export async function withDeadline<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  promise.catch(() => undefined);
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new RelayError('broker_timeout', `${what}: no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}
