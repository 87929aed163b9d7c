import { RelayError } from '../core/errors.ts';
import type { PublisherListener } from '../core/publisher.ts';

/**
 * To be called right before a write to the broker, with nothing awaited in between: a process that was stopped goes on
 * wherever it was, and hears of what it has lost only later.
 *
 * @throws RelayError `leadership_lost`
 */
export function assertMaySend(listener: Pick<PublisherListener, 'maySend'>): void {
  if (!listener.maySend()) throw notLeading();
}

/** The failure of a session that has found out that it may not send any more. */
export function notLeading(): RelayError {
  return new RelayError('leadership_lost', 'nothing more is sent: the lease was not renewed in time');
}
