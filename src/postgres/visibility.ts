import type { Visibility } from '../core/capture.ts';
import { RelayError } from '../core/errors.ts';
import { parseSnapshot, type Snapshot } from '../core/snapshot.ts';
import type { SqlSession } from './session.ts';

/** What is visible on the server of a session. */
export class PostgresVisibility implements Visibility {
  readonly #session: SqlSession;

  constructor(session: SqlSession) {
    this.#session = session;
  }

  async snapshot(): Promise<Snapshot> {
    const [row] = await this.#session.query<{ snapshot: string }>(
      'looking what is visible',
      'SELECT pg_current_snapshot()::text AS snapshot',
    );
    if (row === undefined) throw new RelayError('internal', 'pg_current_snapshot() returned nothing');
    return parseSnapshot(row.snapshot);
  }
}
