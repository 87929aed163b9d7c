import type pg from 'pg';
import type { PassRequest, TablePass, TableReader } from '../../core/capture.ts';
import { RelayError } from '../../core/errors.ts';
import { parseLsn } from '../../core/lsn.ts';
import { sqlState } from '../../core/postgres-failure.ts';
import type { OutboxRow } from '../../core/row.ts';
import type { FullXid } from '../../core/snapshot.ts';
import { type OutboxTable, staysBytes } from '../../core/table.ts';
import { assignXid } from '../../postgres/assign-xid.ts';
import {
  closeConnection,
  connectionLost,
  connectSql,
  destroyConnection,
  type PostgresOptions,
} from '../../postgres/connection.ts';
import { withinDeadline } from '../../postgres/deadline.ts';
import { postgresError } from '../../postgres/error.ts';
import { flushLog } from '../../postgres/flush-guard.ts';
import { SqlSession } from '../../postgres/session.ts';
import { IN_ORDER_SETTINGS, type RowFilters } from '../../postgres/unpublished-rows.ts';
import { type BegunPass, beginPass } from './begin-pass.ts';
import { CopyOut } from './copy-out.ts';
import { CopyPass } from './pass.ts';
import { copyStatement, passQuery } from './select.ts';

/** What a {@link PostgresTableReader} is made of. */
export interface TableReaderOptions {
  readonly postgres: PostgresOptions;
  readonly table: OutboxTable;
  readonly filters: RowFilters;
  /** How long a pass waits for the table's lock (behind DDL) before it gives up, in milliseconds. @default 2000 */
  readonly lockTimeoutMs?: number;
  /** How long the server may send nothing while a pass waits for rows, in milliseconds. @default 60000 */
  readonly silenceMs?: number;
}

const LOCK_TIMEOUT_MS = 2_000;
const ANSWER_MS = 10_000;
/** Behind millions of dead or unwanted rows the first one may take its time. */
const SILENCE_MS = 60_000;
const LOCK_NOT_AVAILABLE = '55P03';
const INVALID_PARAMETER_VALUE = '22023';

/** Reads passes over the table, each in one snapshot by one COPY, on connections that it keeps for the next pass. */
export class PostgresTableReader implements TableReader {
  readonly #options: TableReaderOptions;
  readonly #lockTimeoutMs: number;
  /** For what must not happen inside of a pass's own transaction. */
  readonly #side: SqlSession;
  readonly #idle = new Set<pg.Client>();
  readonly #busy = new Set<pg.Client>();
  readonly #prepared = new WeakSet<pg.Client>();

  constructor(options: TableReaderOptions) {
    this.#options = options;
    this.#lockTimeoutMs = options.lockTimeoutMs ?? LOCK_TIMEOUT_MS;
    this.#side = new SqlSession(options.postgres, { role: 'handover' });
  }

  async open(request: PassRequest, signal: AbortSignal): Promise<TablePass> {
    const client = await this.#connected(signal);
    // Heard until the pass has been closed: whatever the server is doing, or not answering, then ends with the signal.
    const aborted = onAbort(signal, () => destroyConnection(client));
    this.#busy.add(client);
    try {
      if (signal.aborted) throw givenUp();
      await this.#prepare(client);
      const begun = await withinDeadline(
        client,
        this.#lockTimeoutMs + ANSWER_MS,
        beginPass(client, this.#options.table, this.#lockTimeoutMs),
      );
      await Promise.race([this.#flush(client, begun), aborted.promise]);
      return this.#copy(client, request, begun, aborted.forget);
    } catch (error) {
      aborted.forget();
      await this.#discard(client);
      throw passError(error);
    }
  }

  assignXid(): Promise<FullXid> {
    return assignXid(this.#side);
  }

  /** Ends all connections; passes that are under way end early. Never rejects. Idempotent. */
  async close(): Promise<void> {
    await Promise.all([
      this.#side.close(),
      ...[...this.#idle].map((client) => closeConnection(client)),
      ...[...this.#busy].map((client) => this.#discard(client)),
    ]);
  }

  #copy(client: pg.Client, request: PassRequest, begun: BegunPass, closed: () => void): TablePass {
    const { table, filters } = this.#options;
    // Rows that only the caller can tell apart must not count, so then the bound cannot be left to the server. One more
    // than wanted, to know whether that was the end.
    const limit = request.wanted === undefined ? request.maxRows + 1 : null;
    const query = passQuery(table, filters, request.destination, limit);
    const copy = client.query(new CopyOut(copyStatement(query), staysBytes(table)));
    const release = (usable: boolean): Promise<void> => {
      closed();
      return this.#release(client, usable);
    };
    const silenceMs = this.#options.silenceMs ?? SILENCE_MS;
    const next = (): Promise<OutboxRow[] | null> => withinDeadline(client, silenceMs, copy.next());
    return new CopyPass({ request, begun, copy, next, limited: limit !== null, release });
  }

  /**
   * What the snapshot sees need not be on disk (`synchronous_commit = off`): published now, a crash could still take it
   * back. So it is flushed before the first row is handed out. The position is then read on the pass's own session,
   * since another one could meanwhile be with another server.
   */
  async #flush(client: pg.Client, { insertLsn, flushLsn }: BegunPass): Promise<void> {
    if (flushLsn >= insertLsn) return;
    await flushLog(this.#side);
    const { rows } = await withinDeadline(
      client,
      ANSWER_MS,
      client.query<{ lsn: string }>('SELECT pg_current_wal_flush_lsn()::text AS lsn'),
    );
    if (parseLsn(rows[0]?.lsn ?? '0/0') < insertLsn)
      throw new RelayError(
        'postgres_unreachable',
        'the log was flushed on another server than the table was read from',
      );
  }

  async #connected(signal: AbortSignal): Promise<pg.Client> {
    const [idle] = this.#idle;
    if (idle !== undefined) {
      this.#idle.delete(idle);
      return idle;
    }
    const client = await connectSql(this.#options.postgres, 'table', IN_ORDER_SETTINGS, signal);
    void connectionLost(client).then(() => {
      this.#idle.delete(client);
      this.#busy.delete(client);
    });
    return client;
  }

  /** Once for each connection. */
  async #prepare(client: pg.Client): Promise<void> {
    if (this.#prepared.has(client)) return;
    await withinDeadline(client, ANSWER_MS, noticeLostClients(client));
    this.#prepared.add(client);
  }

  async #release(client: pg.Client, usable: boolean): Promise<void> {
    if (!usable) return this.#discard(client);
    try {
      await withinDeadline(client, ANSWER_MS, client.query('COMMIT'));
    } catch {
      // Nothing was written: all that matters is that the transaction ends, and so it does with the connection.
      return this.#discard(client);
    }
    this.#busy.delete(client);
    this.#idle.add(client);
  }

  /** The server ends the transaction when it finds the socket closed: nothing has to get through to it. */
  async #discard(client: pg.Client): Promise<void> {
    destroyConnection(client);
    await connectionLost(client);
  }
}

/** A promise that rejects when the signal aborts, after `action`, and never otherwise. */
function onAbort(signal: AbortSignal, action: () => void): { promise: Promise<never>; forget: () => void } {
  let abort = (): void => undefined;
  const promise = new Promise<never>((_, reject) => {
    abort = () => {
      action();
      reject(givenUp());
    };
  });
  promise.catch(() => undefined);
  signal.addEventListener('abort', abort, { once: true });
  return { promise, forget: () => signal.removeEventListener('abort', abort) };
}

function givenUp(): RelayError {
  return new RelayError('postgres_unreachable', 'the pass was given up');
}

/** So that a backend which scans and sends nothing ends as well when we are gone. Not every platform of a server can. */
async function noticeLostClients(client: pg.Client): Promise<void> {
  try {
    await client.query(`SET client_connection_check_interval = '500ms'`);
  } catch (error) {
    if (sqlState(error) !== INVALID_PARAMETER_VALUE) throw postgresError(error, 'setting up a pass');
  }
}

function passError(error: unknown): RelayError {
  if (sqlState(error) === LOCK_NOT_AVAILABLE)
    return new RelayError('table_rewritten', 'the outbox table is locked, as by ALTER TABLE or TRUNCATE', {
      cause: error,
    });
  return postgresError(error, 'beginning a pass over the outbox table');
}
