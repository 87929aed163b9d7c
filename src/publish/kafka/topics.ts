import { setTimeout as sleep } from 'node:timers/promises';
import { RelayError } from '../../core/errors.ts';
import type { TopicTarget } from './batch.ts';
import type { KafkaDriver } from './driver.ts';

/** After so long a topic is asked for again, since partitions may have been added; Java's `metadata.max.age.ms`. */
const MAX_AGE_MS = 300_000;

/** A topic that is not there is asked for again after so long, when there is a message for it. */
const MISSING_AGE_MS = 10_000;
/** Names come from rows: there may be any number. */
const REMEMBERED_MISSING = 1_000;

/** A broker that has just started may not know all topics yet: for so long an unknown one is asked for again. */
const GRACE_MS = 2_000;
const GRACE_INTERVAL_MS = 200;

/** Kafka's rule for names; asking the broker for another one fails the whole request. */
const LEGAL_NAME = /^[a-zA-Z0-9._-]{1,249}$/;

interface Known {
  readonly target: TopicTarget;
  readonly until: number;
}

interface Missing {
  readonly fault: RelayError;
  readonly until: number;
}

/** What is known of the cluster's topics. */
export class Topics {
  readonly #known = new Map<string, Known>();
  readonly #missing = new Map<string, Missing>();
  readonly #driver: Pick<KafkaDriver, 'describe'>;
  readonly #batchBytes: number;
  readonly #now: () => number;
  readonly #graceMs: number;

  constructor(
    driver: Pick<KafkaDriver, 'describe'>,
    batchBytes: number,
    now: () => number = Date.now,
    graceMs: number = GRACE_MS,
  ) {
    this.#driver = driver;
    this.#batchBytes = batchBytes;
    this.#now = now;
    this.#graceMs = graceMs;
  }

  /** The topic, when it is known and was not asked for too long ago. */
  targetOf(name: string, now: number): TopicTarget | undefined {
    const known = this.#known.get(name);
    return known !== undefined && known.until > now ? known.target : undefined;
  }

  /**
   * Asks for a topic. Null: it is known now; else why no message for it can be sent.
   *
   * @throws the client library's error, or the abort of `signal`
   */
  async resolve(name: string, signal: AbortSignal): Promise<RelayError | null> {
    if (!LEGAL_NAME.test(name) || name === '.' || name === '..')
      return new RelayError(
        'message_invalid',
        `${JSON.stringify(name.slice(0, 100))} is no valid name of a Kafka topic`,
      );
    const before = this.#missing.get(name);
    if (before !== undefined && before.until > this.#now()) return before.fault;
    // once known to be missing, it is not waited for again: that would hold up all other topics every time
    const giveUpAt = this.#now() + (before === undefined ? this.#graceMs : 0);
    for (;;) {
      const description = await this.#driver.describe(name);
      if (description !== null) {
        this.#learn(name, description.partitions);
        return null;
      }
      if (this.#now() >= giveUpAt) return this.#miss(name);
      await sleep(GRACE_INTERVAL_MS, undefined, { signal });
    }
  }

  /** The broker does not know the topic any more: the next message for it asks again. */
  forget(name: string): void {
    this.#known.delete(name);
  }

  /** A batch of so many bytes was too large for the topic: its next ones are at most half as large. */
  narrow(name: string, bytes: number): void {
    const target = this.#known.get(name)?.target;
    if (target !== undefined) target.batchBytes = Math.floor(bytes / 2);
  }

  #learn(name: string, partitions: number): void {
    const before = this.#known.get(name)?.target;
    this.#missing.delete(name);
    this.#known.set(name, {
      target: {
        name,
        partitions,
        batchBytes: before?.batchBytes ?? this.#batchBytes,
        nextKeyless: Math.floor(Math.random() * partitions),
      },
      until: this.#now() + MAX_AGE_MS,
    });
  }

  #miss(name: string): RelayError {
    const fault = new RelayError('message_unroutable', `Kafka has no topic ${name}, or does not show it to this user`, {
      remedy: `Create it, e.g. \`kafka-topics.sh --create --topic ${name}\`, or grant DESCRIBE on it; then \`retry\` the row.`,
    });
    this.#known.delete(name);
    this.#missing.delete(name);
    this.#missing.set(name, { fault, until: this.#now() + MISSING_AGE_MS });
    const [oldest] = this.#missing.keys();
    if (this.#missing.size > REMEMBERED_MISSING && oldest !== undefined) this.#missing.delete(oldest);
    return fault;
  }
}
