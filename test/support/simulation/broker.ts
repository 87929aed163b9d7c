import { RelayError } from '../../../src/core/errors.ts';
import type { OutgoingMessage } from '../../../src/core/message.ts';
import type { Publisher, PublisherListener, PublisherSession } from '../../../src/core/publisher.ts';
import { pause, type Random } from './random.ts';

/** What can go wrong at the broker, as probabilities for each occasion. */
export interface BrokerFaults {
  readonly openFails: number;
  /** A session fails with a batch whose fate is unknown: any prefix of it may have been stored. */
  readonly sessionFails: number;
  /** A dead letter cannot be sent. */
  readonly deadLetterFails: number;
  /** A batch takes so long that there is no room for others meanwhile. */
  readonly stalls: number;
}

export const NO_BROKER_FAULTS: BrokerFaults = { openFails: 0, sessionFails: 0, deadLetterFails: 0, stalls: 0 };

/** What the broker has stored of a message. */
export interface Stored {
  readonly id: string;
  /** Null: of no key, hence in no order. */
  readonly key: string | null;
  readonly version: number;
}

/** A broker that takes one batch at a time, stores it in order, and can lose its connection at any moment. */
export class SimulatedBroker implements Publisher {
  faults: BrokerFaults;
  readonly stored: Stored[] = [];
  /** Ids of dead letters. */
  readonly deadLetters = new Set<string>();
  /** Ids that are refused for good, until they are taken out. */
  readonly refused = new Set<string>();
  readonly #random: Random;

  constructor(random: Random, faults: BrokerFaults) {
    this.#random = random;
    this.faults = faults;
  }

  check(): Promise<readonly []> {
    return Promise.resolve([]);
  }

  async open(listener: PublisherListener): Promise<PublisherSession> {
    await pause(this.#random.below(5));
    if (this.#random.chance(this.faults.openFails)) throw new RelayError('broker_unreachable', 'simulated');
    return new SimulatedSession(this, listener, this.#random);
  }
}

class SimulatedSession implements PublisherSession {
  readonly #broker: SimulatedBroker;
  readonly #listener: PublisherListener;
  readonly #random: Random;
  readonly #held = new Map<string, OutgoingMessage[]>();
  #queue: OutgoingMessage[] = [];
  #busy = false;
  #closed = false;

  constructor(broker: SimulatedBroker, listener: PublisherListener, random: Random) {
    this.#broker = broker;
    this.#listener = listener;
    this.#random = random;
  }

  enqueue(messages: readonly OutgoingMessage[]): void {
    this.#queue.push(...messages);
    void this.#pump();
  }

  release(key: string | null): void {
    if (key === null) return;
    this.#queue.unshift(...this.#unhold(key));
    void this.#pump();
  }

  discard(key: string | null): readonly OutgoingMessage[] {
    if (key === null) return [];
    const held = this.#unhold(key);
    const queued = this.#queue.filter((message) => message.key === key);
    this.#queue = this.#queue.filter((message) => message.key !== key);
    return [...held, ...queued];
  }

  async publishOne(message: OutgoingMessage): Promise<void> {
    await pause(1 + this.#random.below(5));
    const { deadLetterFails } = this.#broker.faults;
    if (this.#closed || this.#random.chance(deadLetterFails)) throw new RelayError('broker_unreachable', 'simulated');
    this.#broker.deadLetters.add(message.row.id);
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  async #pump(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    while (this.#queue.length > 0 && !this.#closed) {
      const batch = this.#queue.splice(0, 1 + this.#random.below(8)).filter((message) => !this.#hold(message));
      await pause(this.#random.below(this.#random.chance(this.#broker.faults.stalls) ? 200 : 5));
      if (this.#random.chance(this.#broker.faults.sessionFails)) {
        this.#fail(batch);
        return;
      }
      this.#deliver(batch);
    }
    this.#busy = false;
  }

  /** Any part of what is under way may have been stored. */
  #fail(batch: readonly OutgoingMessage[]): void {
    const arrived = this.#random.below(batch.length + 1);
    for (const message of batch.slice(0, arrived)) {
      if (this.#broker.refused.has(message.row.id)) break;
      this.#store(message);
    }
    if (!this.#closed) this.#listener.failed(new RelayError('broker_timeout', 'simulated'));
  }

  /** One by one: a refusal puts what is behind it back into the queue. What was stored stays so, even if nobody hears it. */
  #deliver(batch: readonly OutgoingMessage[]): void {
    const refusedAt = batch.findIndex((message) => this.#broker.refused.has(message.row.id));
    const stored = refusedAt < 0 ? batch : batch.slice(0, refusedAt);
    for (const message of stored) this.#store(message);
    if (this.#closed) return;
    this.#listener.acknowledged(stored);
    const refused = batch[refusedAt];
    if (refused === undefined) return;
    this.#queue.unshift(...batch.slice(refusedAt + 1));
    if (refused.key !== null) this.#held.set(refused.key, []);
    this.#listener.refused(refused, new RelayError('message_too_large', 'simulated'));
  }

  #unhold(key: string): readonly OutgoingMessage[] {
    const held = this.#held.get(key) ?? [];
    this.#held.delete(key);
    return held;
  }

  #hold(message: OutgoingMessage): boolean {
    const held = message.key === null ? undefined : this.#held.get(message.key);
    held?.push(message);
    return held !== undefined;
  }

  #store(message: OutgoingMessage): void {
    const version = Number(message.row.values[1]?.toString());
    this.#broker.stored.push({ id: message.row.id, key: message.key, version });
  }
}
