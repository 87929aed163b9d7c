import { backoffDelay } from '../core/backoff.ts';
import type { RelayError } from '../core/errors.ts';
import { pause } from '../core/pause.ts';
import { closeConnection } from '../postgres/connection.ts';
import { withinDeadline } from '../postgres/deadline.ts';
import { postgresError } from '../postgres/error.ts';
import { holdLayout } from './layout.ts';
import { announce, type LeaseKey } from './lease.ts';
import { ASK_MS, type CandidateOptions, connectLeader, type Elected, serveTerm, takeLock, type Term } from './term.ts';

/** How an instance stands for election. */
export interface ElectionOptions extends CandidateOptions, LeaseKey {}

/** Who is told how the election goes. */
export interface ElectionObserver {
  /** Another instance leads; this one waits. */
  waiting(): void;
  elected(epoch: bigint): void;
  lost(error: RelayError): void;
  /** The database could not be asked, or relays of another number of shards are there; tried again. */
  failed(error: RelayError): void;
}

const RETRY = { baseMs: 200, maxMs: 5_000 };
/** While somebody, who may be this instance, brings the layout into force: done in a moment. */
const LAYOUT_RETRY_MS = 20;

/**
 * Stands for election until `signal` is aborted, and calls `lead` for every term won; a term ends when `lead` settles.
 *
 * The lock belongs to a session of its own. The server ends that session when it hears nothing from it for the length of
 * the lease (`idle_session_timeout`), so that an instance that is stopped or cut off loses the lock without anybody's
 * doing; the instance itself gives up earlier, when a renewal has not been answered after two thirds of the lease, and
 * asks its {@link Tenure} before each send.
 *
 * @throws what `lead` throws
 */
export async function standForElection(
  options: ElectionOptions,
  observer: ElectionObserver,
  lead: (term: Term) => Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  for (let failures = 0; !signal.aborted;) {
    const elected = await elect(options, observer, signal).catch((thrown: unknown) => {
      if (!signal.aborted) observer.failed(postgresError(thrown, 'standing for election'));
    });
    if (elected === undefined) {
      await pause(1 + backoffDelay(RETRY, failures++), signal);
      continue;
    }
    failures = 0;
    observer.elected(elected.epoch);
    await serveTerm(elected, options, options.leaseMs, (error) => observer.lost(error), lead);
  }
}

/** Waits for the lock; undefined when `signal` was aborted first. */
async function elect(
  options: ElectionOptions,
  observer: ElectionObserver,
  signal: AbortSignal,
): Promise<Elected | undefined> {
  const client = await connectLeader(options, signal);
  try {
    await withinDeadline(client, options.leaseMs, announce(client, options.table));
    for (let held = false, told = false; !signal.aborted;) {
      held ||= await withinDeadline(client, options.leaseMs, holdLayout(client, options));
      const elected = held ? await takeLock(client, options, options) : null;
      if (elected !== null) return elected;
      if (held && !told) observer.waiting();
      told = held;
      await pause(held ? Math.min(ASK_MS, options.leaseMs / 3) : LAYOUT_RETRY_MS, signal);
    }
    await closeConnection(client);
    return undefined;
  } catch (error) {
    await closeConnection(client);
    throw error;
  }
}
