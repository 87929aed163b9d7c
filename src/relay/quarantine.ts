import { backoffDelay } from '../core/backoff.ts';
import { RelayError } from '../core/errors.ts';
import type { OutgoingMessage } from '../core/message.ts';
import type { PublisherSession } from '../core/publisher.ts';
import type { Routed, RoutedFault, Router } from '../core/routing.ts';
import type { ParkedMark, ParkedStore } from '../core/store.ts';
import { asRelayError } from './failure.ts';
import type { Ledger } from './ledger.ts';
import { MarkWriter } from './mark-writer.ts';
import type { ParkedKeys } from './parked-keys.ts';
import type { DestinationTelemetry } from './telemetry.ts';

/** What the quarantine needs from its destination. */
export interface QuarantineParts {
  readonly destination: string;
  readonly router: Router;
  readonly parkedStore: ParkedStore;
  /** Rows that may be parked at a time: more are not so many faults, but one. */
  readonly parkedRows: number;
  readonly telemetry: DestinationTelemetry;
}

/** Who is told. */
export interface QuarantineHost {
  halt(error: RelayError): void;
  /** The session is to be given up, and tried again later. */
  sessionFailed(error: RelayError): void;
  /** The ledger has changed. */
  changed(): void;
  /** A key that was left out while a dead letter was under way can go on: from the table, which has its rows. */
  keyReleased(): void;
  /** Whether the session is still in use. If not, what was sent by it is forgotten and read again. */
  uses(session: PublisherSession): boolean;
}

const BACKOFF = { baseMs: 200, maxMs: 5_000 };

/**
 * Sets aside rows that are refused for good, as their route's `onError` says:
 *
 * - `park-key`: the row stays in the table with a mark; its key waits behind it, everything else goes on
 * - `dead-letter`: the row is sent to the dead-letter address and deleted once that is acknowledged, and its key waits
 *   until then; if it is refused there too, the key is parked
 * - `halt`: the destination stands still
 *
 * When very many rows are parked, the fault is not theirs (a topic that is missing, for all keys): the destination goes
 * down instead of parking ever more.
 */
export class Quarantine {
  readonly #parts: QuarantineParts;
  readonly #ledger: Ledger;
  readonly #parked: ParkedKeys;
  readonly #host: QuarantineHost;
  readonly #marks: MarkWriter;
  #stopped = false;

  constructor(parts: QuarantineParts, ledger: Ledger, parked: ParkedKeys, host: QuarantineHost) {
    this.#parts = parts;
    this.#ledger = ledger;
    this.#parked = parked;
    this.#host = host;
    this.#marks = new MarkWriter(parts.parkedStore, {
      written: (marks) => {
        for (const mark of marks) parked.written(mark);
      },
      failed: (error) => parts.telemetry.failed(error),
    });
  }

  /** Gives up what is being tried again: the table still has it all. */
  stop(): void {
    this.#stopped = true;
    this.#marks.stop();
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
    if (onError === 'park-key' && this.#tooMany(routed, fault, session)) return;
    this.#parts.telemetry.setAside(routed, fault, onError);
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
    this.#marks.push(mark);
  }

  /** The row stays as it is, and the destination goes down: tried again slowly, it goes on once the fault is mended. */
  #tooMany(routed: Routed, fault: RelayError, session: PublisherSession): boolean {
    const { parkedRows } = this.#parts;
    if (this.#parked.size < parkedRows) return false;
    if (!this.#host.uses(session)) return true;
    const message = `${this.#parked.size} rows are parked, and the row at position ${routed.row.position} is refused too: ${fault.code}, ${fault.message}`;
    this.#host.sessionFailed(new RelayError('parked_limit', message, { cause: fault }));
    return true;
  }

  #markOf(routed: Routed, fault: RelayError): ParkedMark {
    const { position, id } = routed.row;
    const key = routed.message === null ? routed.key : routed.message.key;
    const { code, message: reason } = fault;
    const attempts = this.#parked.attemptsOf(routed.row) + 1;
    return { position, id, destination: this.#parts.destination, key, code, reason, attempts };
  }

  async #bury(routed: Routed, letter: OutgoingMessage, fault: RelayError, session: PublisherSession): Promise<void> {
    const { row } = routed;
    if (routed.message === null) this.#holdUntilBuried(routed, letter, fault);
    const failure = await this.#send(letter, session);
    if (failure !== null) {
      if (!this.#host.uses(session)) {
        this.#parked.releaseLater(row);
        return;
      }
      this.#parts.telemetry.deadLetterFailed(routed, failure);
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

  /** Sends a dead letter, again and again while the broker does not take it for reasons that are not the letter's. */
  async #send(letter: OutgoingMessage, session: PublisherSession): Promise<RelayError | null> {
    for (let attempt = 0; ; attempt++) {
      try {
        await session.publishOne(letter);
        return null;
      } catch (error) {
        const failure = asRelayError(error, 'sending a dead letter');
        if (!failure.retryable || this.#stopped || !this.#host.uses(session)) return failure;
        this.#parts.telemetry.retrying(failure, 1);
      }
      await new Promise((resolve) => setTimeout(resolve, backoffDelay(BACKOFF, attempt)));
    }
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
      await new Promise((resolve) => setTimeout(resolve, backoffDelay(BACKOFF, attempt)));
    }
  }
}
