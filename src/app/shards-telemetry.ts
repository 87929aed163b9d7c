import type { RelayError } from '../core/errors.ts';
import type { SlotObserver, SlotSample, SlotWait } from '../core/status.ts';
import type { RelayTelemetry } from '../relay/telemetry.ts';

/** What is told of the shards that an instance leads, as of one: counts add up, and of states the worst is told. */
export interface InstanceTelemetry extends RelayTelemetry {
  slotSampled(sample: SlotSample | null): void;
  slotWaits(wait: SlotWait | null): void;
  walBudgetNear(warning: RelayError): void;
}

/** What one shard tells. */
export interface ShardTelemetry {
  readonly relay: RelayTelemetry;
  readonly slot: SlotObserver;
  /** The shard is led no longer: nothing is left to be told of it. */
  readonly over: () => void;
}

/** Puts together what the shards of an instance tell of their streams and slots. */
export class ShardsTelemetry {
  readonly #instance: InstanceTelemetry;
  /** By shard: the slot of its stream; null: it has none. */
  readonly #streams = new Map<number, string | null>();
  readonly #samples = new Map<number, SlotSample>();
  readonly #waits = new Map<number, SlotWait>();

  constructor(instance: InstanceTelemetry) {
    this.#instance = instance;
  }

  /** The slot that retains most, which is what the server keeps; null: there is none. */
  get slot(): SlotSample | null {
    const [most] = [...this.#samples.values()].sort((one, other) => other.retainedBytes - one.retainedBytes);
    return most ?? null;
  }

  of(shard: number): ShardTelemetry {
    const instance = this.#instance;
    return {
      relay: {
        destination: (name) => instance.destination(name),
        settling: instance.settling,
        streamed: (transactions, rows, bytes) => instance.streamed(transactions, rows, bytes),
        stragglers: (rows) => instance.stragglers(rows),
        failed: (error) => instance.failed(error),
        streamOpened: (slot) => this.#opened(shard, slot),
        streamClosed: () => this.#closed(shard),
        streamEnded: (error, retryMs) => {
          this.#streams.set(shard, null);
          instance.streamEnded(error, retryMs);
        },
        streamUnavailable: (error, retryMs) => {
          this.#streams.set(shard, null);
          instance.streamUnavailable(error, retryMs);
        },
      },
      slot: {
        sampled: (sample) => this.#sampled(shard, sample),
        waits: (wait) => this.#waitsFor(shard, wait),
        nearBudget: (warning) => instance.walBudgetNear(warning),
      },
      over: () => {
        this.#closed(shard);
        if (this.#samples.has(shard)) this.#sampled(shard, null);
        if (this.#waits.has(shard)) this.#waitsFor(shard, null);
      },
    };
  }

  /** A stream is told to be open once those of all shards are. */
  #opened(shard: number, slot: string): void {
    this.#streams.set(shard, slot);
    if (![...this.#streams.values()].includes(null)) this.#instance.streamOpened(slot);
  }

  #closed(shard: number): void {
    const wasOpen = typeof this.#streams.get(shard) === 'string';
    this.#streams.delete(shard);
    const [another] = this.#streams;
    if (another === undefined && wasOpen) this.#instance.streamClosed();
    else if (another !== undefined && another[1] !== null) this.#opened(another[0], another[1]);
  }

  #sampled(shard: number, sample: SlotSample | null): void {
    if (sample === null) this.#samples.delete(shard);
    else this.#samples.set(shard, sample);
    this.#instance.slotSampled(this.slot);
  }

  #waitsFor(shard: number, wait: SlotWait | null): void {
    if (wait === null) this.#waits.delete(shard);
    else this.#waits.set(shard, wait);
    const [first] = this.#waits.values();
    this.#instance.slotWaits(first ?? null);
  }
}
