import type { StreamSource, TableReader } from '../core/capture.ts';
import type { RelayError } from '../core/errors.ts';
import type { Publisher } from '../core/publisher.ts';
import type { Router } from '../core/routing.ts';
import type { Auditor, ParkedStore, Settler } from '../core/store.ts';
import { DestinationAudit } from './audit.ts';
import { Destination } from './destination.ts';
import type { DestinationOptions } from './destination-parts.ts';
import { asRelayError } from './failure.ts';
import { Settling } from './settling.ts';
import { StreamHub, type StreamHubOptions } from './stream-hub.ts';
import type { RelayTelemetry } from './telemetry.ts';
import { Timer } from './timer.ts';

/** What a relay is made of. */
export interface RelayParts {
  readonly destinations: readonly RelayDestination[];
  readonly streamSource: StreamSource;
  readonly router: Router;
  readonly settler: Settler;
  readonly parkedStore: ParkedStore;
  readonly auditor: Auditor;
  readonly telemetry: RelayTelemetry;
  /** Whether this instance still leads, at this very moment: asked before each send. */
  readonly mayPublish: () => boolean;
}

/** One destination's own parts. */
export interface RelayDestination {
  readonly name: string;
  readonly publisher: Publisher;
  readonly reader: TableReader;
  /** Told how each attempt to open a session ended; null: it is open. */
  readonly onSession: (failure: RelayError | null) => void;
}

/** Bounds and times of a relay. */
export interface RelayOptions extends Omit<DestinationOptions, 'streamAllowed'> {
  /** False: polling only. */
  readonly streamAllowed: boolean;
  /** For all that is in flight or held, shared evenly by the destinations, in bytes. */
  readonly memoryBytes: number;
  /** Published rows that may wait for their deletion, shared evenly by the destinations. */
  readonly undeletedRows: number;
  /** Rows that may be parked at a time, by each destination. */
  readonly parkedRows: number;
  /** Whether the settler and the parked store keep the ids of what is published. */
  readonly keepsPublished: boolean;
  readonly stream: StreamHubOptions;
  /** Milliseconds between audits while streaming. */
  readonly auditIntervalMs: number;
  /** Milliseconds between readings of the parked rows, which other sessions may change. */
  readonly parkedIntervalMs: number;
}

/**
 * The relay while it leads: all destinations, the stream they share, the deletion of what they published, the audit.
 * Made anew for each time of leadership, so that nothing stale can survive one.
 */
export class Relay {
  readonly destinations: readonly Destination[];
  readonly stream: StreamHub;
  readonly #parts: RelayParts;
  readonly #options: RelayOptions;
  readonly #settling: Settling;
  readonly #audits: readonly DestinationAudit[];
  readonly #auditTimer = new Timer();
  readonly #parkedTimer = new Timer();
  #stopped = false;

  constructor(parts: RelayParts, options: RelayOptions) {
    this.#parts = parts;
    this.#options = options;
    const { router, telemetry, parkedStore, mayPublish } = parts;
    this.stream = new StreamHub(parts.streamSource, router, telemetry, options.stream);
    this.#settling = new Settling(parts.settler, telemetry.settling, mayPublish);
    const share = parts.destinations.length;
    this.destinations = parts.destinations.map(({ name, publisher, reader, onSession }) => {
      const destination = new Destination(
        {
          destination: name,
          publisher,
          reader,
          onSession,
          router,
          parkedStore,
          mayPublish,
          settling: this.#settling,
          telemetry: telemetry.destination(name),
          stream: this.stream,
          keysInSql: parts.auditor.leavesOutParkedKeys(name),
          memoryBytes: Math.floor(options.memoryBytes / share),
          undeletedRows: Math.ceil(options.undeletedRows / share),
          parkedRows: options.parkedRows,
          keepsPublished: options.keepsPublished,
        },
        options,
      );
      this.stream.add(destination);
      return destination;
    });
    const shared = {
      auditor: parts.auditor,
      stream: this.stream,
      router,
      telemetry,
      readParked: () => this.#readParked(),
    };
    this.#audits = this.destinations.map((destination) => new DestinationAudit({ ...shared, destination }));
  }

  /** Rows published and not yet deleted. */
  get undeleted(): number {
    return this.#settling.unsettled;
  }

  /**
   * Begins. The parked rows are read before anything else: a key that waits must not be overtaken.
   *
   * @throws RelayError when they cannot be read
   */
  async start(): Promise<void> {
    await this.#readParked();
    if (this.#stopped) return;
    for (const destination of this.destinations) destination.start();
    this.#scheduleAudit();
    this.#scheduleParked();
  }

  /**
   * Ends in two stages: nothing more is captured, and what is in flight is published and deleted until `deadlineMs` have
   * passed or `signal` is aborted; then the rest is given up, which the next start reads from the table again.
   */
  async stop(deadlineMs: number, signal: AbortSignal): Promise<void> {
    this.#stopCapture();
    const streamClosed = this.stream.stop();
    await this.#drained(deadlineMs, signal);
    await this.#end(streamClosed);
  }

  /** Ends at once: leadership is lost, another relay may have begun. */
  async abort(): Promise<void> {
    this.#stopCapture();
    await this.#end(this.stream.stop());
  }

  #stopCapture(): void {
    this.#stopped = true;
    this.#auditTimer.clear();
    this.#parkedTimer.clear();
    for (const destination of this.destinations) destination.stopTaking();
  }

  async #end(streamClosed: Promise<void>): Promise<void> {
    this.#settling.stop();
    await Promise.all([streamClosed, ...this.destinations.map((destination) => destination.stop())]);
  }

  /** What is sent becomes unsettled when it is acknowledged, and is gone when it is deleted. */
  async #drained(deadlineMs: number, signal: AbortSignal): Promise<void> {
    const sent = Promise.all(this.destinations.map(({ outlet }) => outlet.whenAcknowledged()));
    const deadline = new Timer();
    const givenUp = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
      deadline.set(deadlineMs, resolve);
    });
    await Promise.race([givenUp, sent.then(() => this.#settling.whenIdle())]);
    deadline.clear();
  }

  #scheduleAudit(): void {
    this.#auditTimer.set(this.#options.auditIntervalMs, () => {
      void Promise.all(this.#audits.map((audit) => audit.run())).then(() => {
        if (!this.#stopped) this.#scheduleAudit();
      });
    });
  }

  #scheduleParked(): void {
    this.#parkedTimer.set(this.#options.parkedIntervalMs, () => {
      void this.#readParked()
        .catch((error: unknown) => this.#parts.telemetry.failed(asRelayError(error, 'reading the parked rows')))
        .then(() => {
          if (!this.#stopped) this.#scheduleParked();
        });
    });
  }

  async #readParked(): Promise<void> {
    const readings = this.destinations.map(({ outlet }) => outlet.parked.beginReading());
    const marks = await this.#parts.parkedStore.load();
    // a mark of a destination that was renamed still holds its key, wherever that is routed now
    const configured = new Set(this.destinations.map(({ name }) => name));
    this.destinations.forEach((destination, at) => {
      const own = marks.filter((mark) => mark.destination === destination.name || !configured.has(mark.destination));
      const released = destination.outlet.parked.read(readings[at] ?? 0, own);
      if (released > 0) destination.dispatch({ type: 'keys-released' });
    });
  }
}
