/** One result of `outbox-relay check`. */
export interface Finding {
  readonly status: 'ok' | 'warning' | 'error';
  /** What was examined, e.g. `postgres.wal_level`. */
  readonly subject: string;
  /** What was found, and what was expected. */
  readonly message: string;
  /** The exact SQL, setting or command that mends it; absent when nothing is to be mended. */
  readonly remedy?: string;
}
