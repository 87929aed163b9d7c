import type { RelayError } from './errors.ts';
import type { Finding } from './finding.ts';
import type { Address, OutgoingMessage } from './message.ts';

/** What a publisher session tells, and asks, the relay. Called synchronously; must not throw. */
export interface PublisherListener {
  /**
   * Asked right before anything is written to the broker. False: this instance may not publish any more (another may
   * lead by now, e.g. after this process was stopped for longer than its lease). The session then sends nothing and
   * fails with `leadership_lost`.
   */
  maySend(): boolean;
  /** The broker has stored these durably (Kafka: acks=all; RabbitMQ: confirmed and not returned). */
  acknowledged(messages: readonly OutgoingMessage[]): void;
  /**
   * The broker refused this message for good; trying it again as it is cannot succeed. The session sends nothing more
   * of the message's key until {@link PublisherSession.release} or {@link PublisherSession.discard} is called for it.
   * All other keys go on.
   */
  refused(message: OutgoingMessage, fault: RelayError): void;
  /** An attempt failed and is being repeated inside the session. For metrics and the log only. */
  retrying(error: RelayError, messages: number): void;
  /**
   * The session is over: nothing more will be acknowledged, and what was enqueued and not acknowledged is unknown. The
   * relay forgets it and reads it from the table again, by a new session. Called at most once.
   */
  failed(error: RelayError): void;
}

/**
 * A connection to one broker for as long as all goes well. It never recovers from trouble that leaves the fate of a
 * message unknown beyond what its driver can repeat safely: it fails, and the relay opens a new one.
 */
export interface PublisherSession {
  /**
   * Takes messages in commit order. Does not block and never throws; the caller bounds what is in flight by bytes.
   * Messages of one key are first stored by the broker in the order in which they were enqueued.
   */
  enqueue(messages: readonly OutgoingMessage[]): void;
  /** Goes on with a key after a refusal: the refused message is gone, what was queued behind it is sent. */
  release(key: string | null): void;
  /** Forgets what is queued of a key after a refusal, and returns it; later messages of the key are sent again. */
  discard(key: string | null): readonly OutgoingMessage[];
  /** Publishes one message outside of all order and resolves once it is acknowledged; rejects with a RelayError. For dead letters. */
  publishOne(message: OutgoingMessage): Promise<void>;
  /**
   * Ends the session: nothing more is sent, the listener hears nothing more, every pending `publishOne` rejects.
   * Resolves within `deadlineMs`, whatever the broker does. Idempotent.
   */
  close(deadlineMs: number): Promise<void>;
}

/** One kind of broker, configured: a destination's way out. */
export interface Publisher {
  /**
   * Connects and makes sure that publishing can begin.
   *
   * @throws RelayError, retryable or not, by which the relay decides how long to wait
   */
  open(listener: PublisherListener, signal: AbortSignal): Promise<PublisherSession>;
  /** Examines the broker for `outbox-relay check`: reachable, authenticated, topics or exchanges there, set-up safe. */
  check(addresses: readonly Address[], signal: AbortSignal): Promise<readonly Finding[]>;
}
