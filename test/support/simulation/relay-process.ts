import type { StreamSource } from '../../../src/core/capture.ts';
import { RelayError } from '../../../src/core/errors.ts';
import type { OutgoingMessage } from '../../../src/core/message.ts';
import type { Routed, Router } from '../../../src/core/routing.ts';
import type { OutboxRow } from '../../../src/core/row.ts';
import { visibleOnly } from '../../../src/relay/visible-stream.ts';
import { Relay, type RelayOptions } from '../../../src/relay/relay.ts';
import type { SimulatedBroker } from './broker.ts';
import { pause } from './random.ts';
import type { Gate } from './gate.ts';
import { LAYOUT } from './rows.ts';
import type { SimulatedSessions } from './sessions.ts';
import { SimulatedStore } from './store.ts';
import { SimulatedStreamSource } from './stream-source.ts';
import { SimulatedReader } from './table-reader.ts';
import { noTelemetry } from './telemetry.ts';

/** Small bounds and short times, so that every bound is met and every timer fires in a short history. */
const OPTIONS: Omit<RelayOptions, 'memoryBytes'> = {
  pass: { rows: 7, timeMs: 60 },
  pollIntervalMs: 5,
  handoverRows: 4,
  streamAllowed: true,
  undeletedRows: 12,
  parkedRows: 1000,
  keepsPublished: false,
  stream: { retryMs: 20, stallMs: 50 },
  auditIntervalMs: 40,
  parkedIntervalMs: 15,
};

const NEVER_MS = 1e9;

/** What a relay process runs with. */
export interface ProcessParts {
  readonly gate: Gate;
  /** Those of a term that begins now. `left` is called when they are not to be had any more. */
  readonly sessions: (left: () => void) => SimulatedSessions;
  readonly brokers: ReadonlyMap<string, SimulatedBroker>;
  /** Ids of rows that cannot become a message. */
  readonly faulty: ReadonlySet<string>;
  readonly onError: 'park-key' | 'dead-letter';
  readonly memoryBytes: number;
  readonly onlyVisible: boolean;
  readonly audits: boolean;
  /** The audit has found so many. */
  readonly onStragglers: (rows: number) => void;
}

/** A term of leadership, and all that there is of it. */
interface Term {
  readonly sessions: SimulatedSessions;
  readonly relay: Relay;
}

/** The real relay as a process that can be killed and stopped at any crossing of its gate. */
export class RelayProcess {
  readonly gate: Gate;
  readonly #parts: ProcessParts;
  #term: Term;
  #leads = false;
  #stopping = false;

  constructor(parts: ProcessParts) {
    this.#parts = parts;
    this.gate = parts.gate;
    this.#term = this.#newTerm();
    // its timers must not go on for ever; nothing that it still does is seen
    this.gate.whenShut(() => queueMicrotask(() => void this.#term.relay.abort()));
  }

  /** All stream, and nothing is parked. */
  get resting(): boolean {
    return this.#term.relay.destinations.every(
      ({ state, outlet }) => state.name === 'streaming' && outlet.parked.size === 0,
    );
  }

  /** Starts, and again if that fails, as a leader does whose term has ended. Resolves when it runs, or never. */
  async start(): Promise<void> {
    while (!this.gate.shut) {
      try {
        await this.#term.relay.start();
        this.#leads = true;
        return;
      } catch {
        await pause(5);
        await this.#term.relay.abort();
        this.#term = this.#newTerm();
      }
    }
  }

  /** The leader's session was lost with its server, unless another one has told before. */
  async loseServer(): Promise<void> {
    if (!this.#term.sessions.serverLives) await this.#endTerm();
  }

  /** The term ends, and another begins, with nothing left of this one, unless another process leads by now. */
  async #endTerm(): Promise<void> {
    if (!this.#leads || this.#stopping || this.gate.shut) return;
    this.#leads = false;
    await this.#term.relay.abort();
    if (this.gate.deposed) return;
    this.#term = this.#newTerm();
    await this.start();
  }

  /** In order, with a drain. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#term.relay.stop(50, new AbortController().signal);
    this.gate.close();
  }

  #newTerm(): Term {
    // an answer may come when another term has begun
    const sessions = this.#parts.sessions(() => {
      if (sessions === this.#term.sessions) void this.#endTerm();
    });
    return { sessions, relay: this.#newRelay(sessions) };
  }

  #newRelay(sessions: SimulatedSessions): Relay {
    const { brokers, memoryBytes, audits, onStragglers } = this.#parts;
    const store = new SimulatedStore(sessions);
    return new Relay(
      {
        destinations: [...brokers].map(([name, broker]) => ({
          name,
          publisher: broker.publisher(this.gate),
          reader: new SimulatedReader(sessions),
          onSession: () => undefined,
        })),
        streamSource: this.#streamSource(sessions),
        router: this.#router(),
        settler: store,
        parkedStore: store,
        auditor: store,
        telemetry: noTelemetry(onStragglers),
        mayPublish: () => !this.gate.deposed,
      },
      { ...OPTIONS, memoryBytes, ...(audits ? {} : { auditIntervalMs: NEVER_MS }) },
    );
  }

  #streamSource(sessions: SimulatedSessions): StreamSource {
    const { onlyVisible, memoryBytes } = this.#parts;
    const source = new SimulatedStreamSource(sessions);
    const visibility = new SimulatedReader(sessions);
    return onlyVisible ? visibleOnly(source, { visibility, maxBytes: memoryBytes, failed: () => undefined }) : source;
  }

  #router(): Router {
    const { onError } = this.#parts;
    return {
      route: (row) => this.#route(row),
      onError: () => onError,
      deadLetter: ({ row }) => (onError === 'dead-letter' ? toMessage(row) : null),
    };
  }

  #route(row: OutboxRow): Routed {
    const { faulty } = this.#parts;
    const message = toMessage(row);
    const destination = this.#term.sessions.routing.destinationOf(message);
    if (!faulty.has(row.id)) return { destination, row, message, fault: null };
    const fault = new RelayError('route_headers', 'simulated');
    return { destination, row, message: null, fault, key: message.key, route: 0 };
  }
}

function toMessage(row: OutboxRow): OutgoingMessage {
  return {
    row,
    address: { kind: 'topic', topic: 't' },
    key: row.values[LAYOUT.indexOf('aggregateid')]?.toString() ?? null,
    body: null,
    type: null,
    contentType: 'text/plain',
    headers: [],
    route: 0,
    bytes: 1,
  };
}
