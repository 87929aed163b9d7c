import { RelayError } from '../core/errors.ts';
import type { SlotSample } from '../core/status.ts';
import type { OutboxTable } from '../core/table.ts';
import { sampleInstances } from '../leader/instances.ts';
import type { LeaseKey } from '../leader/lease.ts';
import type { Telemetry } from '../observe/telemetry.ts';
import type { PostgresOptions } from '../postgres/connection.ts';
import { postgresError } from '../postgres/error.ts';
import { sampleLag } from '../postgres/lag.ts';
import { SqlSession } from '../postgres/session.ts';
import { IN_ORDER_SETTINGS } from '../postgres/unpublished-rows.ts';

const INTERVAL_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 4_000;

/**
 * Looks at the table every few seconds, on a session of its own, and tells the lag and who stands for election: whether this instance leads or
 * stands by, and above all while nothing is published.
 */
export class LagMonitor {
  readonly #session: SqlSession;
  readonly #table: OutboxTable;
  readonly #telemetry: Telemetry;
  readonly #slot: () => SlotSample | null;
  readonly #lease: LeaseKey;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #beatAt = performance.now();

  /** @param slot of the stream that runs or is being opened, as it was last seen; null while there is none */
  constructor(
    postgres: PostgresOptions,
    table: OutboxTable,
    shard: number,
    telemetry: Telemetry,
    slot: () => SlotSample | null,
  ) {
    this.#session = new SqlSession(postgres, {
      role: 'lag',
      settings: IN_ORDER_SETTINGS,
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    });
    this.#table = table;
    this.#telemetry = telemetry;
    this.#slot = slot;
    this.#lease = { table, shard };
  }

  /** How long ago the monitor came round, in seconds. */
  get heartbeatAgeSeconds(): number {
    return (performance.now() - this.#beatAt) / 1000;
  }

  start(): void {
    void this.#look().finally(() => {
      this.#beatAt = performance.now();
      if (!this.#stopped) this.#timer = setTimeout(() => this.start(), INTERVAL_MS);
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#session.close();
  }

  async #look(): Promise<void> {
    try {
      const { oldestAgeSeconds, waitingRows, parkedRows, capped } = await sampleLag(this.#session, this.#table);
      this.#telemetry.lagSampled({
        oldestUnpublishedSeconds: waitingRows === 0 ? 0 : oldestAgeSeconds,
        waitingRows,
        waitingRowsCapped: capped,
        parkedRows,
        slot: this.#slot(),
      });
    } catch (error) {
      this.#telemetry.lagUnknown(error instanceof RelayError ? error : postgresError(error, 'sampling the lag'));
      this.#telemetry.instancesSampled(null);
      return;
    }
    try {
      this.#telemetry.instancesSampled(await sampleInstances(this.#session, this.#lease));
    } catch (error) {
      this.#telemetry.instancesSampled(null);
      this.#telemetry.failed(error instanceof RelayError ? error : postgresError(error, 'looking at the instances'));
    }
  }
}
