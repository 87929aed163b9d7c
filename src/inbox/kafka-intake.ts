import { backoffDelay } from '../core/backoff.ts';
import type { InboxClient } from './client.ts';
import { type ConsumeOptions, firstHeader, resolveConsumeOptions, type StopOptions } from './consume-options.ts';
import type { Inbox } from './inbox.ts';
import { Intake } from './intake.ts';
import type { Delivery } from './message.ts';
import { PartitionProgress } from './partition-progress.ts';
import { sharedAbort } from './shared-signal.ts';

/** A record by its place. */
export interface KafkaPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
}

/** A record as a client library gives it. */
export interface KafkaRecord extends KafkaPlace {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** Where the dedup key is: as Debezium and the relay have it, and as CloudEvents in binary mode. */
const ID_HEADERS = ['id', 'ce_id'];
const TYPE_HEADERS = ['type', 'ce_type'];

/** How long settled offsets gather until they are committed: what a crash brings again is told by its id. */
const COMMIT_INTERVAL_MS = 200;
const COMMIT_BACKOFF = { baseMs: 400, maxMs: 10_000 };

export function kafkaDelivery({ topic, partition, offset, key, value, headers }: KafkaRecord): Delivery {
  const text = key?.toString() ?? null;
  return {
    id: firstHeader(headers, ID_HEADERS),
    key: text,
    orderKey: text === null ? null : `${topic}/${text}`,
    type: firstHeader(headers, TYPE_HEADERS),
    headers,
    body: value,
    source: { broker: 'kafka', topic, partition, offset: String(offset) },
    position: `${topic}/${partition}/${offset}`,
  };
}

/** A partition that this consumer has. */
interface Partition<Place extends KafkaPlace> {
  readonly progress: PartitionProgress<Place>;
  /** Aborted when the partition is taken away, or all is stopped. */
  readonly stopping: AbortController;
}

/**
 * Between a Kafka client and an inbox: offsets are committed as far as everything before them is settled, partition by partition.
 * Of a partition that is taken away nothing is begun any more, and nothing committed.
 */
export class KafkaIntake<Client extends InboxClient, Payload, Place extends KafkaPlace> {
  readonly stopping: AbortSignal;
  readonly #stop = sharedAbort();
  readonly #inbox: Inbox<Client>;
  readonly #intake: Intake<Client, Payload>;
  readonly #commit: (places: readonly Place[]) => Promise<void>;
  readonly #partitions = new Map<string, Partition<Place>>();
  /** Settled and not yet committed, by partition. */
  readonly #uncommitted = new Map<string, Place>();
  #timer: NodeJS.Timeout | null = null;
  #committing: Promise<void> = Promise.resolve();
  #failures = 0;

  /** @param commit commits these records, and so all before them in their partitions */
  constructor(
    inbox: Inbox<Client>,
    options: ConsumeOptions<Client, Payload>,
    commit: (places: readonly Place[]) => Promise<void>,
  ) {
    this.stopping = this.#stop.signal;
    this.#inbox = inbox;
    this.#intake = new Intake(inbox, resolveConsumeOptions(options));
    this.#commit = commit;
  }

  get isFull(): boolean {
    return this.#intake.isFull;
  }

  accept(place: Place, record: KafkaRecord): void {
    const name = nameOf(place);
    const partition = this.#partition(name);
    const settle = partition.progress.received(place);
    const settled = (): void => {
      settle();
      if (this.#partitions.get(name) === partition) this.#commitSoon(COMMIT_INTERVAL_MS);
    };
    this.#intake.accept(kafkaDelivery(record), { stopping: partition.stopping.signal, settled });
  }

  /** Resolves when another record can be taken in, or `signal` is aborted. */
  room(signal: AbortSignal): Promise<void> {
    return this.#intake.room(signal);
  }

  /** The group has given out the partitions anew. */
  reassigned(isOurs: (topic: string, partition: number) => boolean): void {
    for (const [name, { stopping }] of this.#partitions) {
      const [topic, partition] = JSON.parse(name) as [string, number];
      if (isOurs(topic, partition)) continue;
      this.#partitions.delete(name);
      this.#uncommitted.delete(name);
      stopping.abort();
    }
  }

  /** Lets what runs end, and commits what is settled by then. */
  async end(options: StopOptions = {}): Promise<void> {
    this.#stop.abort();
    for (const { stopping } of this.#partitions.values()) stopping.abort();
    await this.#intake.drain(options);
    this.#forgetTimer();
    await this.#committing;
    await this.#commitNow();
    this.#forgetTimer();
  }

  #partition(name: string): Partition<Place> {
    let partition = this.#partitions.get(name);
    if (partition === undefined) {
      partition = { progress: new PartitionProgress(), stopping: sharedAbort() };
      if (this.stopping.aborted) partition.stopping.abort();
      this.#partitions.set(name, partition);
    }
    return partition;
  }

  #commitSoon(delayMs: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#committing = this.#committing.then(() => this.#commitNow());
    }, delayMs);
  }

  async #commitNow(): Promise<void> {
    for (const [name, { progress }] of this.#partitions) {
      const settled = progress.takeSettled();
      if (settled !== null) this.#uncommitted.set(name, settled);
    }
    const places = [...this.#uncommitted];
    if (places.length === 0) return;
    try {
      await this.#commit(places.map(([, place]) => place));
      this.#failures = 0;
      for (const [name, place] of places) if (this.#uncommitted.get(name) === place) this.#uncommitted.delete(name);
    } catch (error) {
      this.#inbox.onEvent({ type: 'broker-trouble', error });
      this.#commitSoon(COMMIT_INTERVAL_MS + backoffDelay(COMMIT_BACKOFF, this.#failures++));
    }
  }

  #forgetTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

function nameOf({ topic, partition }: KafkaPlace): string {
  return JSON.stringify([topic, partition]);
}
