import { RelayError } from '../core/errors.ts';
import type { OutgoingMessage } from '../core/message.ts';
import type { Publisher, PublisherListener, PublisherSession } from '../core/publisher.ts';
import type { Routed, Router } from '../core/routing.ts';
import type { Delivery, ParkedStore, PublishedRow } from '../core/store.ts';
import { Ledger } from './ledger.ts';
import { ParkedKeys } from './parked-keys.ts';
import { Quarantine } from './quarantine.ts';
import { Room } from './room.ts';
import type { Settling, SettlingOwner, SettlingRow } from './settling.ts';
import type { DestinationTelemetry } from './telemetry.ts';
import { Timer } from './timer.ts';
import { Trial } from './trial.ts';

/** What an outlet is made of. */
export interface OutletParts {
  readonly destination: string;
  readonly publisher: Publisher;
  /** Told how each attempt to open a session ended; null: it is open. */
  readonly onSession: (failure: RelayError | null) => void;
  readonly router: Router;
  readonly parkedStore: ParkedStore;
  readonly settling: Settling;
  /** Whether this instance still leads, at this very moment. */
  readonly mayPublish: () => boolean;
  readonly telemetry: DestinationTelemetry;
  /** The destination's share of the memory budget, in bytes: half of it for what is sent, half for what is held. */
  readonly memoryBytes: number;
  /** Published rows that may wait for their deletion. */
  readonly undeletedRows: number;
  /** Rows that may be parked at a time. */
  readonly parkedRows: number;
  /** Whether deletions are told where the rows went: published ids are kept. */
  readonly keepsPublished: boolean;
}

/** Who is told of what the outlet cannot decide. Called synchronously. */
export interface OutletHost {
  /** The session's first acknowledgement. */
  progress(): void;
  sessionFailed(error: RelayError): void;
  /** The destination must stand still: `onError: halt`, or deletions that are blocked. */
  halt(error: RelayError): void;
  /** A key that was left out for a time goes on: its rows are in the table. */
  keyReleased(): void;
  /** Whether there is room may have changed. */
  roomChanged(): void;
}

/**
 * More than this waiting for its acknowledgement makes nothing faster: some batches for Kafka, several windows for
 * RabbitMQ. It does cost: rows that wait for long are promoted by the garbage collector, which was half of the CPU.
 */
const SENT_BYTES = 4 * 1024 * 1024;
/**
 * A backlog or a flood keeps no more than this in flight, some batches for either side. Rows that are in flight for
 * longer than the collector takes from one scavenge to the next are copied and promoted, and then collected the dear way.
 */
const PACE_SENT_ROWS = 2_500;
const PACE_UNDELETED_ROWS = 4_000;
const CLOSE_DEADLINE_MS = 2_000;
const UNDELETED_PATIENCE_MS = 5_000;

/**
 * A destination's way out: from routed rows to their deletion. Holds the publisher's session, knows what is in flight,
 * leaves out what is parked, and sets aside what the broker refuses.
 */
export class Outlet implements SettlingOwner {
  readonly ledger = new Ledger(this);
  readonly parked = new ParkedKeys();
  readonly room: Room;
  /** Full well before: then those who can wait do, passes and the stream of this destination alone. */
  readonly pace: Room;
  readonly trial = new Trial();
  readonly #parts: OutletParts;
  readonly #host: OutletHost;
  readonly #quarantine: Quarantine;
  #session: PublisherSession | null = null;
  /** Callbacks of sessions that have been given up are told by it, and ignored. */
  #epoch = 0;
  #progressed = false;
  readonly #undeletedTimer = new Timer();
  readonly #quiet: (() => void)[] = [];
  #closing: Promise<void> = Promise.resolve();

  constructor(parts: OutletParts, host: OutletHost) {
    this.#parts = parts;
    this.#host = host;
    const sentBytes = Math.min(parts.memoryBytes / 2, SENT_BYTES);
    const { undeletedRows } = parts;
    this.room = new Room({ sentBytes, sent: Infinity, undeleted: undeletedRows });
    this.pace = new Room({
      sentBytes,
      sent: PACE_SENT_ROWS,
      undeleted: Math.min(PACE_UNDELETED_ROWS, undeletedRows),
    });
    this.#quarantine = new Quarantine(parts, this.ledger, this.parked, {
      halt: (error) => host.halt(error),
      sessionFailed: (error) => host.sessionFailed(error),
      changed: () => this.#updateRoom(),
      keyReleased: () => host.keyReleased(),
      uses: (session) => session === this.#session,
    });
  }

  /**
   * Opens a session. Resolves with false when {@link close} was called meanwhile.
   *
   * @param onTrial one before it failed, and nothing was acknowledged since
   */
  async open(signal: AbortSignal, onTrial: boolean): Promise<boolean> {
    const epoch = ++this.#epoch;
    this.#progressed = false;
    this.trial.begin(onTrial);
    await this.#closing;
    const session = await this.#parts.publisher.open(this.#listen(epoch), signal);
    if (epoch !== this.#epoch) {
      await session.close(CLOSE_DEADLINE_MS);
      return false;
    }
    this.#session = session;
    return true;
  }

  /** Gives the session up. What was sent and not acknowledged is forgotten: the table has it. Idempotent. */
  close(): void {
    this.#epoch++;
    const session = this.#session;
    this.#session = null;
    this.trial.end();
    this.#parts.telemetry.forgotten(this.ledger.forgetSent());
    if (session !== null) this.#closing = session.close(CLOSE_DEADLINE_MS);
    this.#updateRoom();
  }

  /** Resolves when nothing that was sent waits for its acknowledgement any more. */
  whenAcknowledged(): Promise<void> {
    if (this.ledger.sent === 0) return Promise.resolve();
    return new Promise((resolve) => this.#quiet.push(resolve));
  }

  /** Ends all that goes on beside sessions, and resolves when the last session has been closed. */
  async stop(): Promise<void> {
    this.close();
    this.#quarantine.stop();
    this.#undeletedTimer.clear();
    await this.#closing;
  }

  /**
   * Publishes rows in the order given, but for those in flight, parked, or behind a parked row of their key; rows at
   * fault are set aside.
   *
   * @returns how many were taken
   */
  publish(rows: readonly Routed[]): number {
    const session = this.#session;
    if (session === null) return 0;
    let batch: OutgoingMessage[] = [];
    let taken = 0;
    for (const routed of rows) {
      const key = routed.message === null ? routed.key : routed.message.key;
      if (this.ledger.has(routed.row) || this.parked.leavesOut(routed.row, key)) continue;
      taken++;
      if (routed.message !== null) {
        this.ledger.send(routed.message);
        batch.push(routed.message);
        continue;
      }
      // what is before it in the batch must be with the session before the fault can be dealt with
      if (batch.length > 0) session.enqueue(batch);
      batch = [];
      if (session === this.#session) this.#quarantine.rowAtFault(routed, session);
      // whoever was told may have given the session up
      if (session !== this.#session) return taken;
    }
    if (batch.length > 0) session.enqueue(batch);
    this.#updateRoom();
    return taken;
  }

  settled(row: PublishedRow): void {
    this.ledger.settle(row);
    if (this.room.full || this.pace.full) this.#updateRoom();
  }

  deferred(row: PublishedRow): void {
    this.ledger.defer(row);
    if (this.pace.full) this.#updateRoom();
  }

  deletionBlocked(error: RelayError): void {
    this.#host.halt(error);
  }

  #listen(epoch: number): PublisherListener {
    const current = (): boolean => epoch === this.#epoch;
    return {
      maySend: () => current() && this.#parts.mayPublish(),
      acknowledged: (messages) => {
        if (current()) this.#acknowledged(messages);
      },
      refused: (message, fault) => {
        if (current() && this.#session !== null) this.#quarantine.refused(message, fault, this.#session);
      },
      retrying: (error, messages) => {
        if (current()) this.#parts.telemetry.retrying(error, messages);
      },
      failed: (error) => {
        if (current()) this.#host.sessionFailed(error);
      },
    };
  }

  #acknowledged(messages: readonly OutgoingMessage[]): void {
    const own: OutgoingMessage[] = [];
    const settling: SettlingRow[] = [];
    for (const message of messages) {
      const acknowledged = this.ledger.acknowledge(message.row, this.#deliveryOf(message));
      if (acknowledged === null) continue;
      own.push(message);
      settling.push(acknowledged);
    }
    this.#parts.telemetry.acknowledged(own);
    this.#parts.settling.push(settling);
    if (!this.#progressed) {
      this.#progressed = true;
      this.trial.end();
      this.#host.progress();
    }
    this.#updateRoom();
  }

  #deliveryOf({ address, key }: OutgoingMessage): Delivery | undefined {
    return this.#parts.keepsPublished ? { destination: this.#parts.destination, address, key } : undefined;
  }

  #updateRoom(): void {
    const { sent, sentBytes, undeleted, deferred } = this.ledger;
    this.#watchUndeleted(undeleted >= this.#parts.undeletedRows);
    this.trial.update(sent);
    if (sent === 0) for (const resolve of this.#quiet.splice(0)) resolve();
    // a lock that somebody holds for an hour stops publishing at the limit only
    this.pace.update({ sent, sentBytes, undeleted: undeleted - deferred });
    this.room.update(this.ledger);
    this.#host.roomChanged();
  }

  /** At the limit for a moment is how publishing and deleting keep pace; told when it lasts. */
  #watchUndeleted(limitReached: boolean): void {
    if (!limitReached) this.#undeletedTimer.clear();
    else if (!this.#undeletedTimer.running) {
      this.#undeletedTimer.set(UNDELETED_PATIENCE_MS, () => {
        const message = `${this.ledger.undeleted} published rows wait for their deletion; publishing pauses`;
        this.#parts.telemetry.failed(new RelayError('undeleted_limit', message));
      });
    }
  }
}
