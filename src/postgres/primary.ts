import type pg from 'pg';
import { RelayError } from '../core/errors.ts';
import { sqlState } from '../core/postgres-failure.ts';

/** Which server a session is on: tells two servers apart, and two lives of one. */
export interface PrimaryIdentity {
  readonly systemId: string;
  /** Grows with every promotion. */
  readonly timeline: number;
  /** When the server was started, by its own clock, in seconds since 1970. */
  readonly startedAt: string;
}

/** Which primaries sessions may be had on. */
export interface Admission {
  /** Why no session may be had there; null when one may. */
  refusal(server: PrimaryIdentity): RelayError | null;
  /** Told when no host was left after such a refusal. */
  nowhere(refusal: RelayError): void;
}

/** SQLSTATE classes of servers that lack one of the functions, or do not let everybody call it. */
const UNSUPPORTED = /^(0A|42)/;

/** Asks a session on a primary where it is; null where the server cannot tell, as some that only speak Postgres. */
export async function identifyPrimary(client: pg.Client): Promise<PrimaryIdentity | null> {
  try {
    const { rows } = await client.query<{ system_id: string; timeline: string; started_at: string }>(
      `SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system_id,
         left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) AS timeline,
         extract(epoch FROM pg_postmaster_start_time())::text AS started_at`,
    );
    const row = rows[0];
    if (row === undefined) return null;
    return { systemId: row.system_id, timeline: Number.parseInt(row.timeline, 16), startedAt: row.started_at };
  } catch (error) {
    if (UNSUPPORTED.test(sqlState(error) ?? '')) return null;
    throw error;
  }
}

/**
 * The primaries that this process has met. One that was left behind by a failover, and then comes back as if nothing
 * had happened, is known by its timeline and not used again.
 */
export class KnownPrimaries implements Admission {
  /** By system identifier. */
  readonly #newestTimeline = new Map<string, number>();
  #leading: PrimaryIdentity | null = null;

  refusal(server: PrimaryIdentity): RelayError | null {
    const newest = Math.max(server.timeline, this.#newestTimeline.get(server.systemId) ?? 0);
    this.#newestTimeline.set(server.systemId, newest);
    if (server.timeline === newest) return null;
    return new RelayError(
      'postgres_stale_primary',
      `a writable server is still on timeline ${server.timeline}, and timeline ${newest} has been met`,
    );
  }

  nowhere(): void {
    // whoever asked tries again, and has been told why
  }

  /** A term of leadership begins on a server. Returns what is to be told when it is another than that of the last one. */
  led(server: PrimaryIdentity): RelayError | null {
    const before = this.#leading;
    this.#leading = server;
    if (before === null || (before.systemId === server.systemId && before.timeline === server.timeline)) return null;
    const message = `the primary is now ${describe(server)}; before it was ${describe(before)}`;
    return new RelayError('postgres_primary_changed', message);
  }
}

/**
 * The one server of a term of leadership. All sessions of the term have to be there: what is read on one server must
 * not be deleted on another. The term is over when a session finds a primary, and not this one.
 */
export class TermPrimary implements Admission {
  readonly #server: PrimaryIdentity;
  readonly #known: KnownPrimaries;
  readonly #left = new AbortController();

  constructor(server: PrimaryIdentity, known: KnownPrimaries) {
    this.#server = server;
    this.#known = known;
  }

  /** Aborted, with a RelayError as its reason, when another primary has been met in its place. */
  get left(): AbortSignal {
    return this.#left.signal;
  }

  refusal(server: PrimaryIdentity): RelayError | null {
    const { systemId, timeline, startedAt } = this.#server;
    if (server.systemId === systemId && server.timeline === timeline && server.startedAt === startedAt) return null;
    // a newer timeline is to be known to whoever connects next
    this.#known.refusal(server);
    return new RelayError(
      'postgres_other_primary',
      `a session came to ${describe(server)}, and the others are on ${describe(this.#server)}`,
    );
  }

  nowhere(refusal: RelayError): void {
    this.#left.abort(refusal);
  }
}

function describe({ systemId, timeline, startedAt }: PrimaryIdentity): string {
  const started = new Date(Number(startedAt) * 1000).toISOString();
  return `timeline ${timeline} of system ${systemId}, started ${started}`;
}
