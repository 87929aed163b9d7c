import type pg from 'pg';
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
import { candidateRole } from './instances.ts';
import type { LayoutOptions } from './layout.ts';
import { beginEpoch, renew, tryLock, type LeaseKey } from './lease.ts';
import { Tenure } from './tenure.ts';

/** How an instance takes part. */
export interface CandidateOptions extends LayoutOptions {
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

/** A session that has the leader lock. */
export interface Elected {
  readonly client: pg.Client;
  readonly epoch: bigint;
  readonly tenure: Tenure;
}

/** How often a waiting instance asks for the lock: most of the time that a takeover takes. */
export const ASK_MS = 500;

/** Opens a session that the server ends when it has heard nothing from it for the length of the lease. */
export function connectLeader(
  { postgres, holder, leaseMs }: CandidateOptions,
  signal: AbortSignal,
): Promise<pg.Client> {
  const timeouts = { idle_session_timeout: String(leaseMs), statement_timeout: String(leaseMs) };
  return connectSql(postgres, candidateRole(postgres.applicationName, holder), timeouts, signal);
}

/** Takes the lock and begins an epoch; null when another instance has it. */
export async function takeLock(
  client: pg.Client,
  key: LeaseKey,
  { holder, leaseMs }: CandidateOptions,
): Promise<Elected | null> {
  if (!(await withinDeadline(client, leaseMs, tryLock(client, key)))) return null;
  const tenure = new Tenure(leaseMs, performance.now());
  const epoch = await withinDeadline(client, leaseMs, beginEpoch(client, key, holder));
  return { client, epoch, tenure };
}

/**
 * Leads while the lease is renewed. The lock is given back only when `lead` has settled.
 *
 * @param told of the loss of leadership, at once
 * @throws what `lead` throws
 */
export async function serveTerm(
  { client, epoch, tenure }: Elected,
  key: LeaseKey,
  leaseMs: number,
  told: (error: RelayError) => void,
  lead: (term: Term) => Promise<unknown>,
): Promise<void> {
  const lost = new AbortController();
  const ended = new AbortController();
  const lose = (error: RelayError): void => {
    if (lost.signal.aborted || ended.signal.aborted) return;
    const loss = new RelayError('leadership_lost', `leadership of epoch ${epoch} is lost: ${error.message}`, {
      cause: error,
    });
    told(loss);
    lost.abort(loss);
  };
  void connectionLost(client).then(lose);
  const renewing = keepRenewing({ client, epoch, tenure }, key, leaseMs, ended.signal).catch((error: unknown) =>
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
  key: LeaseKey,
  leaseMs: number,
  ended: AbortSignal,
): Promise<void> {
  for (;;) {
    await pause(leaseMs / 3, ended);
    if (ended.aborted) return;
    const askedAt = performance.now();
    const renewed = await withinDeadline(client, leaseMs / 3, renew(client, key, epoch));
    if (!renewed) throw new RelayError('leadership_lost', 'another instance has begun a later epoch');
    tenure.renewed(askedAt);
  }
}
