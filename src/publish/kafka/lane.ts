import type { RelayError } from '../../core/errors.ts';
import type { OutgoingMessage } from '../../core/message.ts';
import type { PublisherListener } from '../../core/publisher.ts';
import { Isolation } from './isolation.ts';
import { HeldKeys, MessageQueue } from './queue.ts';

/** Messages on their way through the session's one producer, and who hears what became of them. */
export interface Lane {
  readonly queue: MessageQueue;
  readonly held: HeldKeys;
  readonly isolation: Isolation;
  stored(messages: readonly OutgoingMessage[]): void;
  refused(message: OutgoingMessage, fault: RelayError): void;
}

/** The lane of what is enqueued: in order per key, told to the listener. */
export function orderedLane(rows: number, listener: PublisherListener): Lane {
  return {
    queue: new MessageQueue(),
    held: new HeldKeys(),
    isolation: new Isolation(rows),
    stored: (messages) => listener.acknowledged(messages),
    refused: (message, fault) => listener.refused(message, fault),
  };
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: RelayError) => void;
}

/** The lane of single messages outside of all order: each with a promise of its own. */
export class SingleLane implements Lane {
  readonly queue = new MessageQueue();
  /** Stays empty: order does not matter here. */
  readonly held = new HeldKeys();
  readonly isolation: Isolation;
  readonly #waiting = new Map<OutgoingMessage, Waiting>();

  constructor(rows: number) {
    this.isolation = new Isolation(rows);
  }

  /** Enqueues the message; settles when it is stored, refused or given up. */
  publish(message: OutgoingMessage): Promise<void> {
    // a copy, so that the same message may be under way twice
    const own = { ...message };
    return new Promise((resolve, reject) => {
      this.#waiting.set(own, { resolve, reject });
      this.queue.push([own]);
    });
  }

  stored(messages: readonly OutgoingMessage[]): void {
    for (const message of messages) this.#take(message)?.resolve();
  }

  refused(message: OutgoingMessage, fault: RelayError): void {
    this.#take(message)?.reject(fault);
  }

  /** Nothing will be sent any more. */
  giveUp(error: RelayError): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  #take(message: OutgoingMessage): Waiting | undefined {
    const waiting = this.#waiting.get(message);
    this.#waiting.delete(message);
    return waiting;
  }
}
