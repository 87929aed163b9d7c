import { RelayError } from '../../../src/core/errors.ts';
import type { OutgoingMessage } from '../../../src/core/message.ts';
import type { Publisher, PublisherListener, PublisherSession } from '../../../src/core/publisher.ts';
import type { Gate } from './gate.ts';
import type { BrokerFaults } from './plan.ts';
import { pause, type Random } from './random.ts';

/** What the broker has stored of a message. */
export interface Stored {
  readonly id: string;
}

/** What became of a batch: all before `refused` is stored, all behind it is not. */
interface Receipt {
  readonly refused: number | null;
}

/** A broker that takes batches, stores each in order, and can lose its connections at any moment. */
export class SimulatedBroker {
  faults: BrokerFaults;
  readonly stored: Stored[] = [];
  /** Ids of dead letters. */
  readonly deadLetters = new Set<string>();
  /** Ids that are refused for good, until they are taken out. */
  readonly refused = new Set<string>();
  readonly random: Random;

  constructor(random: Random, faults: BrokerFaults) {
    this.random = random;
    this.faults = faults;
  }

  /** For the process behind `gate`. */
  publisher(gate: Gate): Publisher {
    return {
      check: () => Promise.resolve([]),
      open: async (listener) => {
        await gate.call(async () => {
          await pause(this.random.below(5));
          if (this.random.chance(this.faults.openFails)) throw new RelayError('broker_unreachable', 'simulated');
        });
        return new SimulatedSession(this, gate, listener);
      },
    };
  }

  /** @throws RelayError after which any part of the batch may have been stored */
  async receive(batch: readonly OutgoingMessage[]): Promise<Receipt> {
    await pause(this.random.below(this.random.chance(this.faults.stalls) ? 200 : 5));
    const lost = this.random.chance(this.faults.sessionFails);
    const arrived = lost ? batch.slice(0, this.random.below(batch.length + 1)) : batch;
    const refusedAt = arrived.findIndex(({ row }) => this.refused.has(row.id));
    for (const { row } of refusedAt < 0 ? arrived : arrived.slice(0, refusedAt)) this.stored.push({ id: row.id });
    if (lost) throw new RelayError('broker_timeout', 'simulated');
    await pause(this.random.below(2));
    return { refused: refusedAt < 0 ? null : refusedAt };
  }

  async receiveDeadLetter({ row }: OutgoingMessage): Promise<void> {
    await pause(1 + this.random.below(5));
    if (this.random.chance(this.faults.deadLetterFails))
      throw new RelayError(this.random.chance(0.5) ? 'broker_unreachable' : 'message_too_large', 'simulated');
    this.deadLetters.add(row.id);
  }
}

/** The client's side of a connection: one batch under way at a time. */
class SimulatedSession implements PublisherSession {
  readonly #broker: SimulatedBroker;
  readonly #gate: Gate;
  readonly #listener: PublisherListener;
  readonly #held = new Map<string, OutgoingMessage[]>();
  #queue: OutgoingMessage[] = [];
  #busy = false;
  #closed = false;

  constructor(broker: SimulatedBroker, gate: Gate, listener: PublisherListener) {
    this.#broker = broker;
    this.#gate = gate;
    this.#listener = listener;
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
    if (!this.#listener.maySend()) throw new RelayError('leadership_lost', 'simulated');
    await this.#gate.call(() => this.#broker.receiveDeadLetter(message));
    if (this.#closed) throw new RelayError('broker_unreachable', 'simulated');
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  async #pump(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    while (this.#queue.length > 0 && !this.#closed) {
      // the next batch gathers while the one before is under way
      const batch = this.#queue.splice(0, 1 + this.#broker.random.below(8)).filter((message) => !this.#hold(message));
      if (batch.length === 0) continue;
      try {
        // what has got past this may leave later: it is in the buffers of a connection
        if (!this.#listener.maySend()) throw new RelayError('leadership_lost', 'simulated');
        const { refused } = await this.#gate.call(() => this.#broker.receive(batch));
        if (!this.#isClosed()) this.#heard(batch, refused);
      } catch (error) {
        if (!this.#isClosed()) this.#listener.failed(error as RelayError);
        return;
      }
    }
    this.#busy = false;
  }

  /** A refusal puts what is behind it back into the queue, and holds its key. */
  #heard(batch: readonly OutgoingMessage[], refusedAt: number | null): void {
    this.#listener.acknowledged(batch.slice(0, refusedAt ?? batch.length));
    const refused = refusedAt === null ? undefined : batch[refusedAt];
    if (refused === undefined || refusedAt === null) return;
    this.#queue.unshift(...batch.slice(refusedAt + 1));
    if (refused.key !== null) this.#held.set(refused.key, []);
    this.#listener.refused(refused, new RelayError('message_too_large', 'simulated'));
  }

  #isClosed(): boolean {
    return this.#closed;
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
}
