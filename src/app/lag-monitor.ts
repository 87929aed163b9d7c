import { ClockOffset } from '../core/clock-offset.ts';
import type { DestinationLag, SlotSample } from '../core/status.ts';
import type { OutboxTable } from '../core/table.ts';
import { sampleInstances } from '../leader/instances.ts';
import type { Telemetry } from '../observe/telemetry.ts';
import { databaseTime } from '../postgres/clock.ts';
import type { PostgresOptions } from '../postgres/connection.ts';
import { postgresError } from '../postgres/error.ts';
import { type LagSample, sampleLag } from '../postgres/lag.ts';
import { SqlSession } from '../postgres/session.ts';
import { IN_ORDER_SETTINGS, type RowFilters } from '../postgres/unpublished-rows.ts';
import { WaitingSince } from './waiting-since.ts';

const LOOK_EVERY_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 4_000;

/** What is looked at. */
export interface WatchedOutbox {
  readonly table: OutboxTable;
  /** By their names. */
  readonly destinations: readonly string[];
  /** Which rows are whose. */
  readonly filters: Pick<RowFilters, 'filterSql'>;
  /** Pause between two looks, in milliseconds. @default 5000 */
  readonly lookEveryMs?: number;
}

/**
 * Looks at the table every few seconds, on a session of its own, and tells the lag and who stands for election: whether
 * this instance leads or stands by, and above all while nothing is published.
 */
export class LagMonitor {
  readonly #session: SqlSession;
  readonly #outbox: WatchedOutbox;
  readonly #telemetry: Telemetry;
  readonly #slot: () => SlotSample | null;
  readonly #waitingSince = new WaitingSince();
  readonly #clock = new ClockOffset();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #beatAt = performance.now();

  /** @param slot of the stream that runs or is being opened, as it was last seen; null while there is none */
  constructor(postgres: PostgresOptions, outbox: WatchedOutbox, telemetry: Telemetry, slot: () => SlotSample | null) {
    this.#session = new SqlSession(postgres, {
      role: 'lag',
      settings: IN_ORDER_SETTINGS,
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    });
    this.#outbox = outbox;
    this.#telemetry = telemetry;
    this.#slot = slot;
  }

  /** How long ago the monitor came round, in seconds. */
  get heartbeatAgeSeconds(): number {
    return (performance.now() - this.#beatAt) / 1000;
  }

  start(): void {
    void this.#look().finally(() => {
      this.#beatAt = performance.now();
      if (!this.#stopped) this.#timer = setTimeout(() => this.start(), this.#outbox.lookEveryMs ?? LOOK_EVERY_MS);
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#session.close();
  }

  async #look(): Promise<void> {
    try {
      await this.#readClock();
      const sample = await sampleLag(this.#session, this.#outbox.table, this.#outbox);
      const destinations = this.#lagOfDestinations(sample);
      this.#telemetry.lagSampled({
        oldestUnpublishedSeconds: Math.max(0, ...destinations.map((each) => each.oldestUnpublishedSeconds)),
        waitingRows: sample.waitingRows,
        waitingRowsEstimated: sample.estimated,
        destinations,
        parkedRows: sample.parkedRows,
        slot: this.#slot(),
      });
    } catch (error) {
      this.#telemetry.lagUnknown(postgresError(error, 'sampling the lag'));
      this.#telemetry.instancesSampled(null);
      return;
    }
    try {
      this.#telemetry.instancesSampled(await sampleInstances(this.#session, this.#outbox.table));
    } catch (error) {
      this.#telemetry.instancesSampled(null);
      this.#telemetry.failed(postgresError(error, 'looking at the instances'));
    }
  }

  /**
   * A destination without a row among those that were looked at waits for nothing, unless there are more than these: then
   * nobody knows. An age by the producer's clock that is smaller than the time the row has been seen to wait is wrong.
   */
  #lagOfDestinations(sample: LagSample): readonly DestinationLag[] {
    const now = performance.now();
    return this.#outbox.destinations.flatMap((name): DestinationLag[] => {
      const waiting = sample.destinations.get(name);
      if (waiting === undefined) {
        this.#waitingSince.forget(name);
        return sample.estimated ? [] : [{ name, oldestUnpublishedSeconds: 0, waitingRows: 0 }];
      }
      const seen = this.#waitingSince.seconds(name, waiting.first, now);
      const oldestUnpublishedSeconds = Math.max(seen, waiting.oldestAgeSeconds ?? 0);
      return [{ name, oldestUnpublishedSeconds, waitingRows: waiting.rows }];
    });
  }

  async #readClock(): Promise<void> {
    const askedAt = Date.now();
    this.#clock.add(askedAt, await databaseTime(this.#session), Date.now());
    this.#telemetry.databaseClock(this.#clock.milliseconds);
  }
}
