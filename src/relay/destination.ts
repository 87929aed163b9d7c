import { RelayError } from '../core/errors.ts';
import type { Lsn } from '../core/lsn.ts';
import type { DestinationOptions, DestinationParts } from './destination-parts.ts';
import { circuitOf } from './circuit.ts';
import { asRelayError } from './failure.ts';
import { HoldBuffer } from './hold-buffer.ts';
import {
  INITIAL_STATE,
  needsStream,
  reduce,
  takesStream,
  type DestinationCommand,
  type DestinationEvent,
  type DestinationState,
} from './machine.ts';
import { Outlet } from './outlet.ts';
import { OwnRows } from './own-rows.ts';
import { runPass, type PassHost, type PassOutcome } from './pass.ts';
import type { RoutedTransaction } from './routed.ts';
import { SkipRule } from './skip-rule.ts';
import { Timer } from './timer.ts';
import { waitMs } from './waits.ts';

/**
 * One destination: carries out what its state machine ({@link reduce}) commands, and tells it what became of that.
 *
 * Everything asynchronous carries the {@link AbortSignal} under which it was begun; what ends after its signal was
 * aborted is not told to the machine. So an answer can never be taken for that of a later command: an x0 assigned for
 * an earlier holding, above all, would end a handover too early.
 */
export class Destination {
  readonly name: string;
  readonly outlet: Outlet;
  readonly #parts: DestinationParts;
  readonly #options: DestinationOptions;
  readonly #own: OwnRows;
  readonly #held = new HoldBuffer();
  readonly #skip = new SkipRule();
  readonly #timer = new Timer();
  readonly #events: DestinationEvent[] = [];
  #dispatching = false;
  #stopping = false;
  #state: DestinationState = INITIAL_STATE;
  #since = Date.now();
  #reason: { event: string; error: RelayError | null } = { event: 'start', error: null };
  #passing = new AbortController();
  #holding = new AbortController();
  #opening = new AbortController();
  #running: Promise<void> = Promise.resolve();
  /** How long the last pass took if it found nothing; else 0. */
  #fruitlessMs = 0;

  constructor(parts: DestinationParts, options: DestinationOptions) {
    this.name = parts.destination;
    this.#parts = parts;
    this.#options = options;
    this.outlet = new Outlet(parts, {
      progress: () => this.dispatch({ type: 'progress' }),
      sessionFailed: (error) => this.dispatch({ type: 'session-failed', error }),
      halt: (error) => this.dispatch({ type: 'halt', error }),
      keyReleased: () => this.dispatch({ type: 'keys-released' }),
      roomChanged: () => {
        if (this.takesStream) parts.stream.roomChanged(this.name);
      },
    });
    this.#own = new OwnRows({ ...parts, parked: this.outlet.parked });
  }

  get state(): DestinationState {
    return this.#state;
  }

  /** Since when it is in this state (milliseconds since 1970), and why. */
  get standing(): { readonly since: number; readonly event: string; readonly error: RelayError | null } {
    return { since: this.#since, ...this.#reason };
  }

  get heldRows(): number {
    return this.#held.rows;
  }

  /** What they take in memory. */
  get heldBytes(): number {
    return this.#held.bytes;
  }

  get takesStream(): boolean {
    return !this.#stopping && takesStream(this.#state);
  }

  get needsStream(): boolean {
    return !this.#stopping && needsStream(this.#state);
  }

  /** Begins: the first session is opened at once. */
  start(): void {
    this.dispatch({ type: 'timer' });
  }

  /** Takes nothing more from either lane; what is in flight goes on being published and deleted. */
  stopTaking(): void {
    this.#stopping = true;
    this.#timer.clear();
    this.#passing.abort();
    this.#letGo();
  }

  /** Ends the session too. Resolves when nothing runs any more. */
  async stop(): Promise<void> {
    this.stopTaking();
    this.#opening.abort();
    await Promise.all([this.outlet.stop(), this.#running]);
  }

  /** This destination's part of a streamed transaction, in log order. Let go unless the stream is taken. */
  transaction(transaction: RoutedTransaction): void {
    if (!this.takesStream) return;
    if (this.#skip.skips(transaction)) {
      this.#parts.telemetry.skipped(1);
      return;
    }
    if (this.#state.name === 'streaming') {
      if (transaction.rows.length > this.outlet.trial.allowance) {
        this.dispatch({ type: 'trial-full' });
        return;
      }
      this.outlet.publish(transaction.rows);
      return;
    }
    this.#held.hold(transaction);
    if (this.#held.bytes >= this.#parts.memoryBytes / 2) {
      const message = `${this.#held.bytes} bytes came by the stream during the handover`;
      this.dispatch({ type: 'buffer-full', error: new RelayError('buffer_full', message) });
    }
  }

  /** The stream has told every transaction that commits below `lsn`. */
  streamPassed(lsn: Lsn): void {
    if (this.#skip.active) this.#skip.streamPassed(lsn);
  }

  /** Feeds the state machine and carries out what it commands. May be called from within a command. */
  dispatch(event: DestinationEvent): void {
    if (this.#stopping) {
      // nothing is decided any more, but what the drain waits for will not be acknowledged by a session that is over
      if (event.type === 'session-failed' || event.type === 'halt') this.outlet.close();
      return;
    }
    this.#events.push(event);
    if (this.#dispatching) return;
    this.#dispatching = true;
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) this.#step(next);
    } finally {
      this.#dispatching = false;
    }
  }

  #step(event: DestinationEvent): void {
    const { handoverRows, streamAllowed } = this.#options;
    const before = this.#state;
    const context = { streamOpen: this.#parts.stream.open, streamAllowed, handoverRows };
    const { state, commands } = reduce(before, event, context);
    this.#state = state;
    this.#tellCircuit(before, state);
    if (state.name !== before.name) {
      const error = 'error' in event ? event.error : null;
      this.#timer.clear();
      this.#since = Date.now();
      this.#reason = { event: event.type, error };
      this.#parts.telemetry.transition(before.name, state.name, event.type, error);
    } else if (event.type === 'pass-failed') this.#parts.telemetry.failed(event.error);
    for (const command of commands) this.#execute(command);
    if (needsStream(state) !== needsStream(before)) this.#parts.stream.needsChanged();
  }

  #tellCircuit(before: DestinationState, state: DestinationState): void {
    const [from, to] = [circuitOf(before), circuitOf(state)];
    if (from !== to) this.#parts.telemetry.circuit(from, to);
  }

  #execute(command: DestinationCommand): void {
    switch (command.type) {
      case 'open-session':
        this.#open(command.trial);
        break;
      case 'close-session':
        this.#opening.abort();
        this.outlet.close();
        break;
      case 'start-pass':
        this.#timer.clear();
        this.#startPass();
        break;
      case 'cancel-pass':
        this.#passing.abort();
        break;
      case 'hold':
        this.#holding = new AbortController();
        break;
      case 'assign-xid':
        this.#assignXid();
        break;
      case 'publish-held':
        for (const transaction of this.#held.take()) this.outlet.publish(transaction.rows);
        break;
      case 'let-go':
        this.#letGo();
        break;
      case 'wait':
        this.#timer.set(waitMs(command.delay, this.#options.pollIntervalMs, this.#fruitlessMs), () =>
          this.dispatch({ type: 'timer' }),
        );
        break;
    }
  }

  #open(trial: boolean): void {
    this.#opening = new AbortController();
    const { signal } = this.#opening;
    this.outlet.open(signal, trial).then(
      (opened) => {
        if (!opened || signal.aborted) return;
        this.#parts.telemetry.opened();
        this.#parts.onSession(null);
        this.dispatch({ type: 'opened' });
      },
      (error: unknown) => {
        if (signal.aborted) return;
        const failure = asRelayError(error, 'opening a session with the broker');
        this.#parts.telemetry.openFailed(failure);
        this.#parts.onSession(failure);
        this.dispatch({ type: 'open-failed', error: failure });
      },
    );
  }

  /** Passes never overlap: one that was cancelled has ended its transaction before the next begins. */
  #startPass(): void {
    this.#passing = new AbortController();
    const { signal } = this.#passing;
    this.#running = this.#running.then(async () => {
      const begun = performance.now();
      try {
        const outcome = await runPass(this.#passHost(), this.#options.pass, signal);
        const tookMs = performance.now() - begun;
        this.#own.passEnded(outcome);
        this.#fruitlessMs = outcome.taken === 0 ? tookMs : 0;
        this.#parts.telemetry.passEnded(outcome, tookMs);
        if (!signal.aborted) this.#passEnded(outcome);
      } catch (error) {
        if (!signal.aborted) this.dispatch({ type: 'pass-failed', error: asRelayError(error, 'reading the table') });
      } finally {
        this.outlet.ledger.endPass();
      }
    });
  }

  #passEnded(outcome: PassOutcome): void {
    if (outcome.complete && this.#state.name === 'handover') {
      this.#parts.telemetry.skipped(this.#held.dropVisible(outcome.snapshot));
      this.#skip.passCompleted(outcome.snapshot, outcome.insertLsn);
    }
    const { complete, snapshot, taken } = outcome;
    this.dispatch({ type: 'pass-ended', complete, snapshot, taken, held: this.#held.rows });
  }

  #passHost(): PassHost {
    return {
      destination: this.name,
      reader: this.#parts.reader,
      room: this.outlet.pace,
      trial: this.outlet.trial,
      inFlight: () => this.outlet.ledger.sent + this.outlet.ledger.undeleted,
      wanted: () => this.#own.wanted(),
      begin: () => {
        this.#own.beginPass();
        this.outlet.ledger.beginPass();
      },
      take: (rows) => this.outlet.publish(this.#own.routed(rows)),
    };
  }

  #assignXid(): void {
    const { signal } = this.#holding;
    this.#parts.reader.assignXid().then(
      (xid) => {
        if (!signal.aborted) this.dispatch({ type: 'xid-assigned', xid });
      },
      (error: unknown) => {
        if (!signal.aborted) this.dispatch({ type: 'xid-failed', error: asRelayError(error, 'assigning x0') });
      },
    );
  }

  #letGo(): void {
    this.#holding.abort();
    this.#held.clear();
    this.#skip.reset();
  }
}
