/** `outbox-relay/inbox/kafkajs`: feeds an inbox from a consumer of kafkajs. */
import type { Consumer, EachBatchPayload, IHeaders, KafkaMessage } from 'kafkajs';
import type { InboxClient } from './client.ts';
import type { ConsumeOptions, Consuming, StopOptions } from './consume-options.ts';
import type { Inbox } from './inbox.ts';
import { KafkaIntake, type KafkaPlace, type KafkaRecord } from './kafka-intake.ts';

/** How long a full intake goes without a heartbeat; kafkajs sends them no more often than its own interval says. */
const HEARTBEAT_MS = 500;

/** What is consumed, and how. */
export interface KafkajsOptions<Client extends InboxClient, Payload> extends ConsumeOptions<Client, Payload> {
  /** Connected and subscribed; it is run here, so `run` must not have been called. Disconnecting it is the caller's. */
  readonly consumer: Consumer;
}

/**
 * Feeds the inbox from a consumer of kafkajs, whose `run` it calls. An offset is committed when everything before it in its partition
 * is handled, and what is taken in is bounded, so that a key that fails holds nothing but itself until the room is full.
 */
export async function consume<Client extends InboxClient, Payload = unknown>(
  inbox: Inbox<Client>,
  options: KafkajsOptions<Client, Payload>,
): Promise<Consuming> {
  const consuming = new KafkajsConsuming(inbox, options);
  await consuming.run();
  return consuming;
}

class KafkajsConsuming<Client extends InboxClient, Payload> implements Consuming {
  readonly ended: Promise<void>;
  readonly #inbox: Inbox<Client>;
  readonly #consumer: Consumer;
  readonly #intake: KafkaIntake<Client, Payload, KafkaPlace>;
  #topics: readonly string[] = [];
  #end: () => void = () => undefined;
  #stopped: Promise<void> | null = null;

  constructor(inbox: Inbox<Client>, options: KafkajsOptions<Client, Payload>) {
    const { consumer } = options;
    this.#inbox = inbox;
    this.#consumer = consumer;
    this.#intake = new KafkaIntake(inbox, options, (places) =>
      consumer.commitOffsets(
        places.map(({ topic, partition, offset }) => ({ topic, partition, offset: String(offset + 1n) })),
      ),
    );
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  async run(): Promise<void> {
    const { GROUP_JOIN, CRASH } = this.#consumer.events;
    this.#consumer.on(GROUP_JOIN, ({ payload }) => {
      const assigned = payload.memberAssignment as Readonly<Record<string, readonly number[]>>;
      this.#topics = Object.keys(assigned);
      this.#intake.reassigned((topic, partition) => assigned[topic]?.includes(partition) === true);
    });
    this.#consumer.on(CRASH, ({ payload }) => {
      this.#inbox.onEvent({ type: 'broker-trouble', error: payload.error });
      if (!payload.restart) void this.stop();
    });
    await this.#consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: (payload) => this.#take(payload),
    });
  }

  stop(options?: StopOptions): Promise<void> {
    return (this.#stopped ??= this.#endAll(options));
  }

  /** Takes a batch in, without waiting for it to be handled; waits for room, with heartbeats. */
  async #take(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    for (const message of batch.messages) {
      while (this.#intake.isFull && !this.#intake.stopping.aborted) {
        await this.#intake.room(AbortSignal.any([this.#intake.stopping, AbortSignal.timeout(HEARTBEAT_MS)]));
        await payload.heartbeat();
      }
      if (this.#intake.stopping.aborted || !payload.isRunning() || payload.isStale()) return;
      const record = recordOf(batch.topic, batch.partition, message);
      this.#intake.accept(record, record);
      // As far as it is fetched: what is committed is told apart, when it is settled.
      payload.resolveOffset(message.offset);
    }
    await payload.heartbeat();
  }

  async #endAll(options: StopOptions | undefined): Promise<void> {
    // Still in the group while handlers end, so that nobody else begins their keys.
    await this.#told(() => this.#consumer.pause(this.#topics.map((topic) => ({ topic }))));
    await this.#intake.end(options);
    await this.#told(() => this.#consumer.stop());
    this.#end();
  }

  /** Of a consumer that has crashed little can be asked; ending goes on. */
  async #told(act: () => Promise<void> | void): Promise<void> {
    try {
      await act();
    } catch (error) {
      this.#inbox.onEvent({ type: 'broker-trouble', error });
    }
  }
}

function recordOf(topic: string, partition: number, { offset, key, value, headers }: KafkaMessage): KafkaRecord {
  return { topic, partition, offset: BigInt(offset), key, value, headers: headersOf(headers ?? {}) };
}

function headersOf(headers: IHeaders): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => {
      const last = Array.isArray(value) ? value.at(-1) : value;
      return last === undefined ? [] : [[name, last.toString()]];
    }),
  );
}
