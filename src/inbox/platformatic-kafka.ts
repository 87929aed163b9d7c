/** `outbox-relay/inbox/platformatic-kafka`: feeds an inbox from a consumer of @platformatic/kafka. */
import type { Readable } from 'node:stream';
import { backoffDelay } from '../core/backoff.ts';
import { pause } from '../core/pause.ts';
import type { InboxClient } from './client.ts';
import type { ConsumeOptions, Consuming, StopOptions } from './consume-options.ts';
import { InboxError } from './errors.ts';
import type { Inbox } from './inbox.ts';
import { KafkaIntake, type KafkaPlace, type KafkaRecord } from './kafka-intake.ts';

const REOPEN_BACKOFF = { baseMs: 200, maxMs: 10_000 };

/** A record, as a stream of the consumer gives it. */
export interface PlatformaticMessage {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key?: unknown;
  readonly value?: unknown;
  readonly headers: Iterable<readonly [name: unknown, value: unknown]>;
  commit(): void | Promise<void>;
}

/** What the group has given this consumer. */
interface Joined {
  readonly assignments?: readonly { readonly topic: string; readonly partitions: readonly number[] }[];
}

/**
 * A `Consumer` of @platformatic/kafka, by what is used of it: the class itself has private members, by which the compiler takes those
 * of any two versions for different things.
 */
export interface PlatformaticConsumer {
  readonly generationId: number;
  consume(options: {
    readonly topics: string[];
    readonly autocommit: false;
    readonly mode: 'committed';
    readonly fallbackMode: 'earliest' | 'latest' | 'fail';
  }): Promise<MessagesStream>;
  on(event: 'consumer:group:join', listener: (joined: Joined) => void): unknown;
  removeListener(event: 'consumer:group:join', listener: (joined: Joined) => void): unknown;
}

interface MessagesStream extends Readable {
  [Symbol.asyncIterator](): NodeJS.AsyncIterator<PlatformaticMessage>;
}

/** What is consumed, and how. */
export interface PlatformaticKafkaOptions<Client extends InboxClient, Payload> extends ConsumeOptions<Client, Payload> {
  /** A `Consumer` in a group of the classic protocol; its deserializers, if any, have to leave texts or bytes. Closing it is the caller's. */
  readonly consumer: PlatformaticConsumer;
  readonly topics: readonly string[];
  /** Where a group begins that has committed nothing yet. @default 'earliest' */
  readonly fallbackMode?: 'earliest' | 'latest' | 'fail';
}

/**
 * Feeds the inbox from a consumer of @platformatic/kafka, whose `consume` it calls. An offset is committed when everything before it
 * in its partition is handled, and what is taken in is bounded, so that a key that fails holds nothing but itself until the room is
 * full.
 */
export async function consume<Client extends InboxClient, Payload = unknown>(
  inbox: Inbox<Client>,
  options: PlatformaticKafkaOptions<Client, Payload>,
): Promise<Consuming> {
  const consuming = new PlatformaticConsuming(inbox, options);
  await consuming.open();
  return consuming;
}

/** A record with the function that commits it. */
interface CommittablePlace extends KafkaPlace {
  readonly commit: () => Promise<void>;
}

class PlatformaticConsuming<Client extends InboxClient, Payload> implements Consuming {
  readonly ended: Promise<void>;
  readonly #inbox: Inbox<Client>;
  readonly #options: PlatformaticKafkaOptions<Client, Payload>;
  readonly #intake: KafkaIntake<Client, Payload, CommittablePlace>;
  /** The one that is read; null while it is replaced. */
  #stream: MessagesStream | null = null;
  /** Settled when the stream has been replaced; null: it is not being replaced. */
  #replacing: Promise<void> | null = null;
  #replaceAgain = false;
  #end: () => void = () => undefined;
  #stopped: Promise<void> | null = null;

  constructor(inbox: Inbox<Client>, options: PlatformaticKafkaOptions<Client, Payload>) {
    this.#inbox = inbox;
    this.#options = options;
    this.#intake = new KafkaIntake(inbox, options, async (places) => {
      await Promise.all(places.map((place) => place.commit()));
    });
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  /** @throws what `consume` of the consumer does, the first time */
  async open(): Promise<void> {
    const { consumer } = this.#options;
    const stream = await this.#openStream();
    // The newer protocol changes assignments without an event by which one could tell.
    if (consumer.generationId === 0) {
      await closed(stream);
      throw new InboxError('invalid_options', 'consumer: expected one with groupProtocol classic');
    }
    consumer.on('consumer:group:join', this.#onJoin);
    this.#readFrom(stream);
  }

  stop(options?: StopOptions): Promise<void> {
    return (this.#stopped ??= this.#endAll(options));
  }

  readonly #onJoin = ({ assignments = [] }: Joined): void => {
    this.#intake.reassigned((topic, partition) =>
      assignments.some((assigned) => assigned.topic === topic && assigned.partitions.includes(partition)),
    );
    this.#replaceStream(0);
  };

  #openStream(): Promise<MessagesStream> {
    const { consumer, topics, fallbackMode = 'earliest' } = this.#options;
    return consumer.consume({ topics: [...topics], autocommit: false, mode: 'committed', fallbackMode });
  }

  /**
   * After each change of the group another stream is read, which begins at the offsets that are committed. The old one goes on behind
   * what it had fetched or asked for before, and so may leave out records that it had to go back to.
   */
  #replaceStream(delayMs: number): void {
    this.#replaceAgain = true;
    this.#replacing ??= this.#replaceWhileAsked(delayMs).finally(() => {
      this.#replacing = null;
      if (this.#replaceAgain && !this.#intake.stopping.aborted) this.#replaceStream(0);
    });
  }

  async #replaceWhileAsked(delayMs: number): Promise<void> {
    const old = this.#stream;
    this.#stream = null;
    await pause(delayMs, this.#intake.stopping);
    for (let failures = 0; this.#replaceAgain && !this.#intake.stopping.aborted;) {
      this.#replaceAgain = false;
      try {
        const stream = await this.#openStream();
        this.#readFrom(stream);
      } catch (error) {
        this.#replaceAgain = true;
        this.#inbox.onEvent({ type: 'broker-trouble', error });
        await pause(backoffDelay(REOPEN_BACKOFF, failures++), this.#intake.stopping);
      }
    }
    // Not before: a consumer whose last stream of a topic is closed leaves that topic, and joins the group again for the next one.
    if (old !== null) await closed(old);
  }

  #readFrom(stream: MessagesStream): void {
    const before = this.#stream;
    this.#stream = stream;
    if (before !== null) void closed(before);
    void this.#read(stream).catch((error: unknown) => {
      if (!this.#reads(stream)) return;
      this.#inbox.onEvent({ type: 'broker-trouble', error });
      this.#replaceStream(REOPEN_BACKOFF.baseMs);
    });
  }

  #reads(stream: Readable): boolean {
    return this.#stream === stream && !this.#intake.stopping.aborted;
  }

  /** By the iterator's own `next`: leaving a `for await` would close the stream. */
  async #read(stream: MessagesStream): Promise<void> {
    const messages = stream[Symbol.asyncIterator]();
    while (this.#reads(stream)) {
      const next = await messages.next();
      if (next.done === true) throw new Error('the stream of messages has ended');
      await this.#intake.room(this.#intake.stopping);
      if (!this.#reads(stream)) return;
      const message = next.value;
      const { topic, partition, offset } = message;
      this.#intake.accept({ topic, partition, offset, commit: async () => message.commit() }, recordOf(message));
    }
  }

  async #endAll(options: StopOptions | undefined): Promise<void> {
    // Still in the group while handlers end, so that nobody else begins their keys.
    await this.#intake.end(options);
    this.#options.consumer.removeListener('consumer:group:join', this.#onJoin);
    await this.#replacing;
    if (this.#stream !== null) await closed(this.#stream);
    this.#end();
  }
}

/** Closes a stream and waits for that, whatever it has to say. */
async function closed(stream: Readable): Promise<void> {
  if (stream.closed) return;
  const end = new Promise((resolve) => stream.once('close', resolve));
  stream.on('error', () => undefined);
  stream.destroy();
  await end;
}

function recordOf({ topic, partition, offset, key, value, headers }: PlatformaticMessage): KafkaRecord {
  return {
    ...{ topic, partition, offset, key: bytesOf(key), value: bytesOf(value) },
    headers: Object.fromEntries([...headers].map(([name, content]) => [textOf(name), textOf(content)])),
  };
}

/** @throws TypeError for what a deserializer has made of a record */
function bytesOf(part: unknown): Buffer | null {
  if (part === undefined || part === null) return null;
  if (Buffer.isBuffer(part)) return part;
  if (typeof part === 'string') return Buffer.from(part);
  throw new TypeError('the deserializers of the consumer have to leave texts or bytes; decoding is an option here');
}

function textOf(part: unknown): string {
  return bytesOf(part)?.toString() ?? '';
}
