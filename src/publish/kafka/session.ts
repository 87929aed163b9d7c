import { setTimeout as sleep } from 'node:timers/promises';
import { backoffDelay } from '../../core/backoff.ts';
import { RelayError } from '../../core/errors.ts';
import type { OutgoingMessage } from '../../core/message.ts';
import type { PublisherListener, PublisherSession } from '../../core/publisher.ts';
import { nextBatch, topicOf, type Batch, type TopicTarget } from './batch.ts';
import type { KafkaDriver, SendFailure } from './driver.ts';
import { troubleOf } from './errors.ts';
import { orderedLane, SingleLane, type Lane } from './lane.ts';
import type { KafkaOptions } from './options.ts';
import { Partitioner } from './partitioner.ts';
import { recordSize } from './record-size.ts';
import { settle } from './settle.ts';
import { Topics } from './topics.ts';
import { assertMaySend } from '../fence.ts';
import { within } from '../within.ts';

const BACKOFF = { baseMs: 100, maxMs: 1_000 };

/** Sequence numbers end at 2^31 per partition and producer; no partition can have got more than all of them together. */
const RENEW_AFTER_RECORDS = 2 ** 30;

/**
 * A session over one idempotent producer, the same for both drivers. One loop, one request in flight:
 *
 *     queue -> nextBatch -> send -+- stored: acknowledged
 *                ^                +- no answer, or a wrong leader: the same batch again, for retryForMs, then failed
 *                |                +- refused in part: by partition acknowledged, refused, or back into the queue
 *                +-- again -------+                   (and a new producer)
 *
 * While a request is in flight the next batch gathers, so nothing lingers and batches grow with the load. Order is
 * kept per key within a topic; keys of a refused message are held over all topics.
 */
export class KafkaSession implements PublisherSession {
  readonly #driver: KafkaDriver;
  readonly #options: KafkaOptions;
  readonly #listener: PublisherListener;
  readonly #topics: Topics;
  readonly #random: () => number;
  readonly #partitioner = new Partitioner();
  readonly #ordered: Lane;
  readonly #singles: SingleLane;
  readonly #maySend: () => boolean;
  readonly #ended = new AbortController();
  #wake: (() => void) | null = null;
  #failingSince: number | null = null;
  #attempt = 0;
  #recordsOfProducer = 0;
  #closing: Promise<void> | null = null;

  /** @param random for the jitter of back-off, in [0, 1) */
  constructor(
    driver: KafkaDriver,
    options: KafkaOptions,
    listener: PublisherListener,
    random: () => number = Math.random,
  ) {
    this.#random = random;
    this.#driver = driver;
    this.#options = options;
    this.#listener = listener;
    this.#maySend = () => listener.maySend();
    this.#topics = new Topics(driver, options.batchBytes);
    this.#ordered = orderedLane(options.batchRows, listener);
    this.#singles = new SingleLane(options.batchRows);
    void this.#run();
  }

  enqueue(messages: readonly OutgoingMessage[]): void {
    if (this.#over()) return;
    this.#ordered.queue.push(messages);
    this.#wake?.();
  }

  release(key: string | null): void {
    if (key === null || this.#over()) return;
    this.#ordered.queue.putBack(this.#ordered.held.release(key));
    this.#wake?.();
  }

  discard(key: string | null): readonly OutgoingMessage[] {
    if (key === null || this.#over()) return [];
    return [...this.#ordered.held.release(key), ...this.#ordered.queue.extract(key)];
  }

  publishOne(message: OutgoingMessage): Promise<void> {
    if (this.#over()) return Promise.reject(sessionOver());
    const published = this.#singles.publish(message);
    this.#wake?.();
    return published;
  }

  close(deadlineMs: number): Promise<void> {
    this.#closing ??= within(this.#end(), deadlineMs, () => undefined);
    return this.#closing;
  }

  /** A method, not a property, since it changes over every await and callback. */
  #over(): boolean {
    return this.#ended.signal.aborted;
  }

  async #run(): Promise<void> {
    try {
      while (!this.#over()) {
        const lane: Lane = this.#singles.queue.length > 0 ? this.#singles : this.#ordered;
        const batch = this.#nextBatch(lane);
        if (batch.messages.length > 0) await this.#deliver(lane, batch);
        else {
          const first = lane.queue.peek();
          await (first === undefined ? this.#wakened() : this.#clearTheWay(lane, first));
        }
      }
    } catch (error) {
      this.#fail(error instanceof RelayError ? error : troubleOf(error, 'publishing to Kafka').error);
    }
  }

  #nextBatch(lane: Lane): Batch {
    const now = Date.now();
    return nextBatch(
      {
        queue: lane.queue,
        held: lane.held,
        partitioner: this.#partitioner,
        targetOf: (name) => this.#topics.targetOf(name, now),
      },
      { rows: lane.isolation.limit, requestBytes: this.#options.requestBytes },
      now,
    );
  }

  #wakened(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = null;
        resolve();
      };
    });
  }

  /** No batch can begin with the first message: finds out about its topic, or refuses it. */
  async #clearTheWay(lane: Lane, message: OutgoingMessage): Promise<void> {
    try {
      const fault =
        tooLargeFor(this.#options.requestBytes, message) ??
        (await this.#deadline(this.#topics.resolve(topicOf(message), this.#ended.signal))) ??
        noSuchPartition(this.#topics.targetOf(topicOf(message), Date.now()), message);
      this.#answered();
      if (this.#over() || fault === null || lane.queue.peek() !== message) return;
      lane.queue.shift();
      this.#refuse(lane, message, fault);
    } catch (error) {
      if (!this.#over()) await this.#pause(troubleOf(error, 'asking Kafka for a topic').error, 1);
    }
  }

  async #deliver(lane: Lane, batch: Batch): Promise<void> {
    const { messages } = batch;
    while (!this.#over()) {
      assertMaySend(this.#listener);
      this.#recordsOfProducer += messages.length;
      const failure = await this.#deadline(this.#driver.send(batch, this.#maySend));
      if (this.#over()) return;
      if (failure === null) {
        this.#stored(lane, messages);
        return;
      }
      if (!failure.trouble.repeat) return this.#sortOut(lane, batch, failure);
      if (!this.#driver.repeatsSafely) this.#renew();
      await this.#pause(failure.trouble.error, messages.length);
    }
  }

  #stored(lane: Lane, messages: readonly OutgoingMessage[]): void {
    this.#answered();
    lane.isolation.cleared(messages.length);
    if (this.#recordsOfProducer > RENEW_AFTER_RECORDS) this.#renew();
    lane.stored(messages);
  }

  /** The broker does its work: what fails from now on has a time of its own. */
  #answered(): void {
    this.#failingSince = null;
    this.#attempt = 0;
  }

  /** The queue is put in order before anyone is told: the listener may release or discard a key at once. */
  async #sortOut(lane: Lane, batch: Batch, failure: SendFailure): Promise<void> {
    const outcome = settle(batch, failure);
    if (outcome.stored.length > 0 || outcome.wait === null) this.#answered();
    this.#renew();
    lane.queue.putBack(outcome.again);
    for (const [topic, bytes] of outcome.tooLarge) this.#topics.narrow(topic, bytes);
    for (const topic of outcome.vanished) this.#topics.forget(topic);
    if (outcome.refused.length > 0) lane.isolation.found();
    if (outcome.suspects > 0) lane.isolation.suspect(outcome.suspects);
    if (outcome.stored.length > 0) lane.stored(outcome.stored);
    for (const { message, fault } of outcome.refused) this.#refuse(lane, message, fault);
    if (this.#over()) return;
    if (outcome.stop !== null) this.#fail(outcome.stop);
    else if (outcome.wait !== null) await this.#pause(outcome.wait, outcome.again.length);
    else if (outcome.again.length > 0) this.#listener.retrying(failure.trouble.error, outcome.again.length);
  }

  #refuse(lane: Lane, message: OutgoingMessage, fault: RelayError): void {
    if (this.#over()) return;
    if (message.key !== null && lane === this.#ordered) lane.held.hold(message.key);
    lane.refused(message, fault);
  }

  /** Waits before something is tried again, or fails the session: time is up, or waiting does not help. */
  async #pause(error: RelayError, messages: number): Promise<void> {
    const now = performance.now();
    this.#failingSince ??= now;
    if (!error.retryable || now - this.#failingSince >= this.#options.retryForMs) {
      this.#fail(error);
      return;
    }
    this.#listener.retrying(error, messages);
    if (this.#over()) return;
    const delay = backoffDelay(BACKOFF, this.#attempt++, this.#random);
    await sleep(delay, undefined, { signal: this.#ended.signal }).catch(() => undefined);
  }

  #renew(): void {
    this.#recordsOfProducer = 0;
    this.#driver.renew();
  }

  /** The libraries have deadlines for each step; this one is for the case that they forget a request. */
  #deadline<T>(work: Promise<T>): Promise<T> {
    const { connectTimeoutMs, requestTimeoutMs } = this.#options;
    return within(work, 2 * connectTimeoutMs + 4 * requestTimeoutMs, () => {
      throw new RelayError('broker_timeout', 'publishing to Kafka: the client gave no answer');
    });
  }

  #fail(error: RelayError): void {
    if (this.#over()) return;
    void this.#end();
    this.#listener.failed(error);
  }

  #end(): Promise<void> {
    this.#ended.abort();
    this.#wake?.();
    this.#singles.giveUp(sessionOver());
    return this.#driver.close();
  }
}

/** The broker would drop the connection without a word, which looks like a fault of the network, every time. */
function tooLargeFor(requestBytes: number, message: OutgoingMessage): RelayError | null {
  const size = recordSize(message);
  if (size <= requestBytes) return null;
  return new RelayError(
    'message_too_large',
    `a message of ${size} bytes is larger than requestBytes, ${requestBytes}`,
    {
      remedy:
        'Raise requestBytes of the destination, and the limits of topic and broker, then `retry` the row; or `discard` it.',
    },
  );
}

/** Which the row itself has named. */
function noSuchPartition(target: TopicTarget | undefined, { partition }: OutgoingMessage): RelayError | null {
  if (target === undefined || partition === undefined || partition < target.partitions) return null;
  return new RelayError(
    'message_invalid',
    `the row is for partition ${partition}, and the topic ${target.name} has ${target.partitions}, counted from 0`,
    { remedy: 'Add partitions to the topic and `retry` the row, or `discard` it.' },
  );
}

function sessionOver(): RelayError {
  return new RelayError('broker_unreachable', 'the session with Kafka ended before the message was acknowledged');
}
