import type pg from 'pg';
import type { Stream, StreamListener, StreamSource } from '../../core/capture.ts';
import { RelayError } from '../../core/errors.ts';
import type { SlotObserver } from '../../core/status.ts';
import type { TableShard } from '../../core/sharding.ts';
import type { OutboxTable } from '../../core/table.ts';
import { connectReplication, destroyConnection, type PostgresOptions } from '../../postgres/connection.ts';
import { SqlSession } from '../../postgres/session.ts';
import { succeedsWithin } from './deadline.ts';
import { assertPublished } from './publication-coverage.ts';
import { assertUnchanged, publicationIdentity } from './publication-identity.ts';
import { endedByServer, LONG_TRANSACTIONS_REMEDY, replicationError, waitedTooLong } from './replication-error.ts';
import { assertSameServer, identifySystem } from './same-server.ts';
import { rowsOf } from './shard-rows.ts';
import { createSlot, endSlot, newSlotName } from './slot.ts';
import { SlotWaits } from './slot-waits.ts';
import { streamTimings, type StreamTimings } from './stream-timing.ts';
import { WalWatch } from './wal-watch.ts';
import { WalsenderStream } from './walsender-stream.ts';

/** How streams are opened, and what bounds them. */
export interface StreamOptions {
  readonly postgres: PostgresOptions;
  readonly table: OutboxTable;
  /** Name of the publication; it must publish the shard's inserts into the table, through its root where that is partitioned. */
  readonly publication: string;
  /** Slot names begin with it: a-z, 0-9 and _. */
  readonly slotPrefix: string;
  /** The shard whose rows are wanted; null: all. */
  readonly shard: TableShard | null;
  /** For opening a stream, above all for the write transactions that a slot waits for; in milliseconds. */
  readonly slotTimeoutMs: number;
  /** Log that the server may retain for a stream, in bytes; beyond it the stream ends (`wal_budget_exceeded`). */
  readonly walBudgetBytes: number;
  /** What the rows of one transaction may take in memory, in bytes; beyond it the stream ends (`buffer_full`). */
  readonly maxTransactionBytes: number;
  /** Between two looks at the slot, in milliseconds. @default 2000 */
  readonly watchIntervalMs?: number;
  /** `wal_sender_timeout` of the session, in milliseconds. @default 30000, as every replication session has it */
  readonly walSenderTimeoutMs?: number;
  readonly observer?: SlotObserver;
}

const DEFAULT_WATCH_INTERVAL_MS = 2000;
/** A look at the slot is quick, or something is wrong. */
const WATCH_TIMEOUT_MS = 10_000;
/** For finding out whether the server has invalidated a slot, in milliseconds. */
const EXPLAIN_MS = 500;
/** For ending a walsender that may not notice that its client is gone, in milliseconds. */
const END_SLOT_MS = 500;
const CLOSE_SESSION_MS = 250;
const NOBODY: SlotObserver = { sampled: () => undefined, waits: () => undefined, nearBudget: () => undefined };

/** The log lane: streams by temporary slots of Postgres's logical replication. */
export function streamSource(options: StreamOptions): StreamSource {
  const waits = new SlotWaits();
  return {
    open: async (listener, signal) => {
      try {
        return await new Opening(options, waits, listener, signal).open();
      } catch (error) {
        throw replicationError(error, 'opening a replication stream', options.postgres.user);
      }
    },
  };
}

/** One attempt at a stream: a new slot name, new connections. */
class Opening {
  readonly #options: StreamOptions;
  readonly #waits: SlotWaits;
  readonly #listener: StreamListener;
  readonly #signal: AbortSignal;
  readonly #slotName: string;

  constructor(options: StreamOptions, waits: SlotWaits, listener: StreamListener, signal: AbortSignal) {
    this.#options = options;
    this.#waits = waits;
    this.#listener = listener;
    this.#signal = signal;
    this.#slotName = newSlotName(options.slotPrefix, options.shard?.shard ?? 0);
  }

  async open(): Promise<Stream> {
    const { postgres } = this.#options;
    const session = new SqlSession(postgres, { role: 'watch', statementTimeoutMs: WATCH_TIMEOUT_MS });
    let walsender: pg.Client | null = null;
    const watch = this.#watch(session);
    try {
      walsender = await connectReplication(postgres, 'stream', this.#signal);
      return await this.#inTime(this.#converse(walsender, session, watch), watch);
    } catch (error) {
      const failure = waitedTooLong(error) ? (watch.waiting ?? error) : error;
      if (walsender !== null) destroyConnection(walsender);
      await this.#release(session, watch, walsender !== null);
      throw failure;
    }
  }

  #watch(session: SqlSession): WalWatch {
    const { walBudgetBytes, watchIntervalMs, slotTimeoutMs, observer } = this.#options;
    return new WalWatch(session, {
      slotName: this.#slotName,
      published: this.#options,
      budgetBytes: walBudgetBytes,
      // so often that what the creation waits for has been seen before it is given up
      intervalMs: Math.min(watchIntervalMs ?? DEFAULT_WATCH_INTERVAL_MS, slotTimeoutMs / 2),
      waits: this.#waits,
      observer: observer ?? NOBODY,
    });
  }

  async #converse(walsender: pg.Client, session: SqlSession, watch: WalWatch): Promise<Stream> {
    const { table, publication, shard, maxTransactionBytes } = this.#options;
    const published = await publicationIdentity(session, publication);
    const unfiltered = await assertPublished(session, this.#options);
    const identity = await identifySystem(walsender);
    const timings = await this.#timings(walsender);
    const startLsn = await createSlot(walsender, this.#slotName);
    watch.slotCreated(startLsn);
    await assertSameServer(session, this.#slotName, identity);
    const stream = new WalsenderStream({
      walsender,
      slotName: this.#slotName,
      startLsn,
      table,
      publication,
      maxTransactionBytes,
      belongs: unfiltered && shard !== null ? rowsOf(shard, table) : null,
      timings,
      listener: this.#listener,
      examinePublication: () => assertUnchanged(session, publication, published),
      explain: (error) => this.#explain(error, watch),
      release: (slotMayRemain) => this.#release(session, watch, slotMayRemain),
    });
    await stream.start();
    void watch.trouble.then((error) => stream.fail(error));
    return stream;
  }

  #explain(error: unknown, watch: WalWatch): RelayError | Promise<RelayError> {
    const explained = replicationError(error, 'streaming the log', this.#options.postgres.user);
    if (!endedByServer(error)) return explained;
    let found: RelayError | null = null;
    const asked = watch.invalidation().then((invalidation) => (found = invalidation));
    return succeedsWithin(EXPLAIN_MS, asked).then(() => found ?? explained);
  }

  async #timings(walsender: pg.Client): Promise<StreamTimings> {
    const wanted = this.#options.walSenderTimeoutMs;
    if (wanted !== undefined) await walsender.query(`SET wal_sender_timeout = ${wanted}`);
    const { rows } = await walsender.query<{ ms: number }>(
      `SELECT setting::int AS ms FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'`,
    );
    return streamTimings(rows[0]?.ms ?? 0);
  }

  /** Races the opening against its deadline, the signal, and what the watch objects to. */
  async #inTime(work: Promise<Stream>, watch: WalWatch): Promise<Stream> {
    const { slotTimeoutMs } = this.#options;
    const signal = this.#signal;
    let timer: NodeJS.Timeout | undefined;
    let giveUp: (() => void) | undefined;
    const interrupted = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(watch.waiting ?? tookTooLong(slotTimeoutMs)), slotTimeoutMs);
      giveUp = () => reject(givenUp());
      if (signal.aborted) giveUp();
      else signal.addEventListener('abort', giveUp, { once: true });
      void watch.trouble.then(reject);
    });
    try {
      return await Promise.race([work, interrupted]);
    } finally {
      clearTimeout(timer);
      if (giveUp !== undefined) signal.removeEventListener('abort', giveUp);
    }
  }

  async #release(session: SqlSession, watch: WalWatch, slotMayRemain: boolean): Promise<void> {
    watch.stop();
    if (slotMayRemain) await succeedsWithin(END_SLOT_MS, endSlot(session, this.#slotName));
    await session.close(CLOSE_SESSION_MS);
  }
}

function tookTooLong(milliseconds: number): RelayError {
  return new RelayError('replication_failed', `no replication slot within ${milliseconds} ms`, {
    remedy: LONG_TRANSACTIONS_REMEDY,
  });
}

function givenUp(): RelayError {
  return new RelayError('replication_failed', 'opening a replication stream was given up');
}
