import { backoffDelay } from '../core/backoff.ts';
import { RelayError } from '../core/errors.ts';
import type { OutgoingMessage } from '../core/message.ts';
import type { PublisherSession } from '../core/publisher.ts';
import type { Routed, RoutedFault, Router } from '../core/routing.ts';
import type { ParkedMark, ParkedStore } from '../core/store.ts';
import { asRelayError } from './failure.ts';
import type { Ledger } from './ledger.ts';
import type { ParkedKeys } from './parked-keys.ts';
import type { DestinationTelemetry } from './telemetry.ts';

/** What the quarantine needs from its destination. */
export interface QuarantineParts {
  readonly destination: string;
  readonly router: Router;
  readonly parkedStore: ParkedStore;
  readonly telemetry: DestinationTelemetry;
}

/** Who is told. */
export interface QuarantineHost {
  halt(error: RelayError): void;
  /** The ledger has changed. */
  changed(): void;
  /** A key that was left out while a dead letter was under way can go on: from the table, which has its rows. */
  keyReleased(): void;
  /** Whether the session is still in use. If not, what was sent by it is forgotten and read again. */
  uses(session: PublisherSession): boolean;
}

const STORE_BACKOFF = { baseMs: 200, maxMs: 5_000 };

/**
 * Sets aside rows that are refused for good, as their route's `onError` says:
 *
 * - `park-key`: the row stays in the table with a mark; its key waits behind it, everything else goes on
 * - `dead-letter`: the row is sent to the dead-letter address and deleted once that is acknowledged, and its key waits
 *   until then; if it cannot be sent, the key is parked
 * - `halt`: the destination stands still
 */
export class Quarantine {
  readonly #parts: QuarantineParts;
  readonly #ledger: Ledger;
  readonly #parked: ParkedKeys;
  readonly #host: QuarantineHost;
  #stopped = false;

  constructor(parts: QuarantineParts, ledger: Ledger, parked: ParkedKeys, host: QuarantineHost) {
    this.#parts = parts;
    this.#ledger = ledger;
    this.#parked = parked;
    this.#host = host;
  }

  /** Gives up what is being tried again: the table still has it all. */
  stop(): void {
    this.#stopped = true;
  }

  /** A row that could not become a message. It is not in the ledger. */
  rowAtFault(routed: RoutedFault, session: PublisherSession): void {
    this.#setAside(routed, routed.fault, routed.route, session);
  }

  /** A message that the broker refused; the session holds its key. */
  refused(message: OutgoingMessage, fault: RelayError, session: PublisherSession): void {
    const { destination } = this.#parts;
    this.#setAside({ destination, row: message.row, message, fault: null }, fault, message.route, session);
  }

  #setAside(routed: Routed, fault: RelayError, route: number, session: PublisherSession): void {
    const onError = this.#parts.router.onError(route);
    this.#parts.telemetry.setAside(routed.row, fault, onError);
    if (onError === 'halt') {
      const { position, id } = routed.row;
      this.#host.halt(
        new RelayError('halted', `the row at position ${position} with id ${id} is refused: ${fault.message}`, {
          cause: fault,
        }),
      );
      return;
    }
    const letter = onError === 'dead-letter' ? this.#parts.router.deadLetter(routed, fault) : null;
    if (letter === null) this.#park(routed, fault, session);
    else void this.#bury(routed, letter, fault, session);
  }

  /** The key is left out from this moment; the mark follows as soon as the database takes it. */
  #park(routed: Routed, fault: RelayError, session: PublisherSession): void {
    const mark = this.#markOf(routed, fault);
    this.#parked.park(mark);
    if (routed.message !== null && this.#host.uses(session)) {
      this.#ledger.forget(routed.row);
      for (const behind of session.discard(mark.key)) this.#ledger.forget(behind.row);
    }
    this.#host.changed();
    void this.#untilDone('writing the mark of a parked row', async () => {
      await this.#parts.parkedStore.park(mark);
      this.#parked.written(mark);
      return true;
    });
  }

  #markOf(routed: Routed, fault: RelayError): ParkedMark {
    const { position, id } = routed.row;
    const key = routed.message === null ? routed.key : routed.message.key;
    return { position, id, destination: this.#parts.destination, key, code: fault.code, reason: fault.message };
  }

  async #bury(routed: Routed, letter: OutgoingMessage, fault: RelayError, session: PublisherSession): Promise<void> {
    const { row } = routed;
    if (routed.message === null) this.#holdUntilBuried(routed, letter, fault);
    try {
      await session.publishOne(letter);
    } catch (error) {
      if (!this.#host.uses(session)) {
        this.#parked.releaseLater(row);
        return;
      }
      this.#parts.telemetry.deadLetterFailed(row, asRelayError(error, 'sending a dead letter'));
      if (routed.message === null) this.#ledger.forget(row);
      this.#park(routed, fault, session);
      return;
    }
    const { position, id, xid } = row;
    const delivery = { destination: this.#parts.destination, address: letter.address, key: letter.key };
    await this.#untilDone('deleting a row after its dead letter', () =>
      this.#parts.parkedStore.bury({ position, id, xid, delivery }),
    );
    this.#ledger.settle(row);
    this.#goOn(routed, session);
    this.#host.changed();
  }

  /** The session holds the key of what it refused; of a row that never was with it, the key is left out meanwhile. */
  #holdUntilBuried(routed: Routed, letter: OutgoingMessage, fault: RelayError): void {
    this.#ledger.send(letter);
    this.#parked.park(this.#markOf(routed, fault));
  }

  #goOn(routed: Routed, session: PublisherSession): void {
    if (routed.message === null) {
      this.#parked.releaseLater(routed.row);
      if (routed.key !== null) this.#host.keyReleased();
    } else if (this.#host.uses(session)) session.release(routed.message.key);
  }

  /** Repeats `action` until it has returned true, or this relay ends. */
  async #untilDone(doing: string, action: () => Promise<boolean>): Promise<void> {
    for (let attempt = 0; !this.#stopped; attempt++) {
      try {
        if (await action()) return;
      } catch (error) {
        const failure = asRelayError(error, doing);
        this.#parts.telemetry.failed(failure);
        if (failure.code === 'delete_blocked') {
          this.#host.halt(failure);
          return;
        }
      }
      await new Promise((resolve) => setTimeout(resolve, backoffDelay(STORE_BACKOFF, attempt)));
    }
  }
}
