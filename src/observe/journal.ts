import type { RelayError } from '../core/errors.ts';
import type { BlockingTransaction, LagSample, ReportedError, StatusReport } from '../core/status.ts';
import { redactText } from './redact.ts';

/** How a destination came to its present state. */
export interface LastTransition {
  readonly since: string;
  readonly reason: string | null;
  readonly error: ReportedError | null;
}

const KEPT_ERRORS = 20;

/** What was told last, for `/status`: errors, transitions, the stream, lag. Bounded. */
export class Journal {
  readonly #now: () => number;
  readonly #transitions = new Map<string, LastTransition>();
  #errors: StatusReport['lastErrors'] = [];
  #stream: StatusReport['stream'] = { open: false, slot: null, since: null, error: null, waitsFor: null };
  #lag: StatusReport['lag'] = null;
  /** By the monotonic clock: an old look must not seem new because the machine's clock was set back. */
  #lagAt: number | null = null;
  #instances: StatusReport['instances'] = null;
  readonly #monotonic: () => number;

  /**
   * @param now milliseconds since 1970
   * @param monotonic milliseconds of a clock that is never set
   */
  constructor(now: () => number, monotonic: () => number) {
    this.#now = now;
    this.#monotonic = monotonic;
  }

  /** The latest errors, newest first. */
  get lastErrors(): StatusReport['lastErrors'] {
    return this.#errors;
  }

  get stream(): StatusReport['stream'] {
    return this.#stream;
  }

  /** The last successful look at the lag. */
  get lag(): StatusReport['lag'] {
    return this.#lag;
  }

  /** Of the last successful look at the lag; null before the first. */
  get lagAgeSeconds(): number | null {
    return this.#lagAt === null ? null : (this.#monotonic() - this.#lagAt) / 1000;
  }

  /** Who stands for election, as it was last seen; null when it could not be. */
  get instances(): StatusReport['instances'] {
    return this.#instances;
  }

  /** How a destination came to its present state; null before its first transition. */
  lastTransition(destination: string): LastTransition | null {
    return this.#transitions.get(destination) ?? null;
  }

  /** An error that repeats the newest one takes its place. */
  failed(error: RelayError, destination: string | null): void {
    const [newest] = this.#errors;
    const repeats = newest?.code === error.code && newest.destination === destination;
    const others = repeats ? this.#errors.slice(1) : this.#errors.slice(0, KEPT_ERRORS - 1);
    this.#errors = [{ ...this.#report(error), destination }, ...others];
  }

  transition(destination: string, reason: string, error: RelayError | null): void {
    const reported = error === null ? null : this.#report(error);
    this.#transitions.set(destination, { since: this.#time(), reason, error: reported });
  }

  streamOpened(slot: string): void {
    this.#stream = { open: true, slot, since: this.#time(), error: null, waitsFor: null };
  }

  /** @param error why there is no stream; null: nobody needs it */
  streamClosed(error: RelayError | null): void {
    const since = this.#stream.open ? this.#time() : this.#stream.since;
    const reported = error === null ? null : this.#report(error);
    this.#stream = { open: false, slot: null, since, error: reported, waitsFor: null };
  }

  /** What the creation of a slot waits for; null: for nothing any more. */
  streamWaits(transaction: BlockingTransaction | null): void {
    this.#stream = { ...this.#stream, waitsFor: transaction };
  }

  lagSampled(sample: LagSample): void {
    this.#lagAt = this.#monotonic();
    this.#lag = { ...sample, sampledAt: this.#time() };
  }

  instancesSampled(instances: StatusReport['instances']): void {
    this.#instances = instances;
  }

  #report({ code, message, remedy }: RelayError): ReportedError {
    return { at: this.#time(), code, message: redactText(message), remedy };
  }

  #time(): string {
    return new Date(this.#now()).toISOString();
  }
}
