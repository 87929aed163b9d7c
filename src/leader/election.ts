import type pg from 'pg';
import { backoffDelay } from '../core/backoff.ts';
import { RelayError } from '../core/errors.ts';
import { pause } from '../core/pause.ts';
import {
  closeConnection,
  connectionLost,
  connectSql,
  sessionPlace,
  type PostgresOptions,
  type SessionPlace,
} from '../postgres/connection.ts';
import { withinDeadline } from '../postgres/deadline.ts';
import { postgresError } from '../postgres/error.ts';
import { announce, beginEpoch, renew, tryLock, type LeaseKey } from './lease.ts';
import { candidateRole } from './instances.ts';
import { Tenure } from './tenure.ts';

/** How an instance stands for election. */
export interface ElectionOptions extends LeaseKey {
  readonly postgres: PostgresOptions;
  /** Names this instance in the lease table, e.g. host name and process id. */
  readonly holder: string;
  /** How long leadership lasts without being renewed, in milliseconds. Renewed every third of it. */
  readonly leaseMs: number;
}

/** One time of leadership. */
export interface Term {
  /** Grows with every term, over all instances. */
  readonly epoch: bigint;
  /** Where the leader's session is, and all others of the term have to be. */
  readonly place: SessionPlace;
  /** Aborted, with a RelayError as its reason, as soon as leadership is lost or in doubt: publishing must stop at once. */
  readonly lost: AbortSignal;
  /**
   * Whether this instance may publish at this very moment; to be asked before each send. A process that was stopped for
   * longer than its lease finds out by it, before any timer or answer has told.
   */
  readonly mayPublish: () => boolean;
}

/** Who is told how the election goes. */
export interface ElectionObserver {
  /** Another instance leads; this one waits. */
  waiting(): void;
  elected(epoch: bigint): void;
  lost(error: RelayError): void;
  /** The database could not be asked; tried again. */
  failed(error: RelayError): void;
}

interface Elected {
  readonly client: pg.Client;
  readonly epoch: bigint;
  readonly tenure: Tenure;
}

/** How often a waiting instance asks for the lock: most of the time that a takeover takes. */
const ASK_MS = 500;
const RETRY = { baseMs: 200, maxMs: 5_000 };

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
  lead: (term: Term) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  for (let failures = 0; !signal.aborted;) {
    const elected = await elect(options, observer, signal).catch((error: unknown) => {
      if (!signal.aborted) observer.failed(postgresError(error, 'standing for election'));
    });
    if (elected === undefined) {
      await pause(1 + backoffDelay(RETRY, failures++), signal);
      continue;
    }
    failures = 0;
    observer.elected(elected.epoch);
    await serve(elected, options, observer, lead);
  }
}

/** Waits for the lock; undefined when `signal` was aborted first. */
async function elect(
  options: ElectionOptions,
  observer: ElectionObserver,
  signal: AbortSignal,
): Promise<Elected | undefined> {
  const timeouts = { idle_session_timeout: String(options.leaseMs), statement_timeout: String(options.leaseMs) };
  const { postgres, holder } = options;
  const client = await connectSql(postgres, candidateRole(postgres.applicationName, holder), timeouts, signal);
  try {
    await withinDeadline(client, options.leaseMs, announce(client, options));
    for (let told = false; !signal.aborted; told = true) {
      if (await withinDeadline(client, options.leaseMs, tryLock(client, options))) {
        const tenure = new Tenure(options.leaseMs, performance.now());
        const epoch = await withinDeadline(client, options.leaseMs, beginEpoch(client, options, holder));
        return { client, epoch, tenure };
      }
      if (!told) observer.waiting();
      await pause(Math.min(ASK_MS, options.leaseMs / 3), signal);
    }
    await closeConnection(client);
    return undefined;
  } catch (error) {
    await closeConnection(client);
    throw error;
  }
}

/** Leads while the lease is renewed. The lock is given back only when `lead` has settled. */
async function serve(
  { client, epoch, tenure }: Elected,
  options: ElectionOptions,
  observer: ElectionObserver,
  lead: (term: Term) => Promise<void>,
): Promise<void> {
  const lost = new AbortController();
  const ended = new AbortController();
  const lose = (error: RelayError): void => {
    if (lost.signal.aborted || ended.signal.aborted) return;
    const loss = new RelayError('leadership_lost', `leadership of epoch ${epoch} is lost: ${error.message}`, {
      cause: error,
    });
    observer.lost(loss);
    lost.abort(loss);
  };
  void connectionLost(client).then(lose);
  const renewing = keepRenewing({ client, epoch, tenure }, options, ended.signal).catch((error: unknown) =>
    lose(postgresError(error, 'renewing the lease')),
  );
  const mayPublish = (): boolean => {
    if (!tenure.held) lose(new RelayError('leadership_lost', 'the lease was not renewed in time'));
    return !lost.signal.aborted;
  };
  try {
    await lead({ epoch, place: sessionPlace(client), lost: lost.signal, mayPublish });
  } finally {
    ended.abort();
    await renewing;
    await closeConnection(client);
  }
}

async function keepRenewing(
  { client, epoch, tenure }: Elected,
  options: ElectionOptions,
  ended: AbortSignal,
): Promise<void> {
  for (;;) {
    await pause(options.leaseMs / 3, ended);
    if (ended.aborted) return;
    const askedAt = performance.now();
    const renewed = await withinDeadline(client, options.leaseMs / 3, renew(client, options, epoch));
    if (!renewed) throw new RelayError('leadership_lost', 'another instance has begun a later epoch');
    tenure.renewed(askedAt);
  }
}
