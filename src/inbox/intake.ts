import { bulkhead } from '../resilience/bulkhead.ts';
import type { Policy } from '../resilience/policy.ts';
import type { InboxClient } from './client.ts';
import type { ConsumeSettings, StopOptions } from './consume-options.ts';
import type { Inbox } from './inbox.ts';
import { KeyLanes } from './key-lanes.ts';
import type { Delivery } from './message.ts';
import { sharedAbort } from './shared-signal.ts';

const DEFAULT_DEADLINE_MS = 30_000;

/** How a delivery is taken in. */
export interface Taking {
  /** Aborted: it is not begun any more, or not tried again, and then never settled. */
  readonly stopping: AbortSignal;
  /** Called when it may be acknowledged; must not throw. */
  readonly settled: () => void;
  /** Has those without an order key go one after the other with others of this name; a dead letter does not hold them back. */
  readonly inTurnWith?: string;
}

/**
 * Between an adapter and its inbox: deliveries of one order key go one after the other, retries and their pauses included; so many
 * attempts run at a time; and no more is taken in than there is room for.
 *
 * A delivery that pauses between two attempts holds its key, not a slot.
 */
export class Intake<Client extends InboxClient, Payload> {
  readonly #inbox: Pick<Inbox<Client>, 'consumer' | 'process'>;
  readonly #settings: ConsumeSettings<Client, Payload>;
  readonly #slots: Policy;
  readonly #lanes = new KeyLanes();
  readonly #aborting = sharedAbort();
  /** Called when a delivery has left. */
  #waiting: (() => void)[] = [];
  #inFlight = 0;

  constructor(inbox: Pick<Inbox<Client>, 'consumer' | 'process'>, settings: ConsumeSettings<Client, Payload>) {
    this.#inbox = inbox;
    this.#settings = settings;
    this.#slots = bulkhead({ name: inbox.consumer, concurrency: settings.concurrency, queue: Number.MAX_SAFE_INTEGER });
  }

  get isFull(): boolean {
    return this.#inFlight >= this.#settings.maxInFlight;
  }

  /** Takes a delivery in, as the adapter has read it. */
  accept(found: Delivery, taking: Taking): void {
    this.#inFlight++;
    void this.#through(found, taking).finally(() => {
      this.#inFlight--;
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const wake of waiting) wake();
    });
  }

  /** Resolves when there is room for another delivery, or `stopping` is aborted. */
  room(stopping: AbortSignal): Promise<void> {
    return this.#until(() => !this.isFull, stopping);
  }

  /**
   * Resolves when every delivery has left; those that are not begun leave when their own signals are aborted. After the deadline
   * handlers that run are aborted, and not waited for.
   */
  async drain({ deadlineMs = DEFAULT_DEADLINE_MS }: StopOptions = {}): Promise<void> {
    const late = AbortSignal.timeout(deadlineMs);
    await this.#until(() => this.#inFlight === 0, late);
    this.#aborting.abort(new Error('the consumer is stopped'));
  }

  async #through(found: Delivery, { stopping, settled, inTurnWith }: Taking): Promise<void> {
    const { handler, decode } = this.#settings;
    const delivery = this.#identified(found);
    const outcome = await this.#lanes.run(delivery.orderKey ?? inTurnWith ?? null, () =>
      this.#inbox.process(delivery, {
        ...{ handler, decode, stopping },
        slots: this.#slots,
        aborted: this.#aborting.signal,
      }),
    );
    if (outcome !== 'abandoned') settled();
  }

  /** An option's function that fails finds no id: the delivery goes to the dead letters. */
  #identified(found: Delivery): Delivery {
    try {
      return this.#settings.identify(found);
    } catch {
      return { ...found, id: null };
    }
  }

  async #until(done: () => boolean, signal: AbortSignal): Promise<void> {
    while (!done() && !signal.aborted) await this.#change(signal);
  }

  /** Resolves when a delivery has left, or `signal` is aborted. */
  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.push(wake);
      signal.addEventListener('abort', wake);
    });
  }
}
