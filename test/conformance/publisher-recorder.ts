import type { RelayError } from '../../src/core/errors.ts';
import type { OutgoingMessage } from '../../src/core/message.ts';
import type { PublisherListener } from '../../src/core/publisher.ts';

const TIMEOUT_MS = 45_000;

/** A listener that keeps all it hears, and tells when it has heard enough. */
export class PublisherRecorder implements PublisherListener {
  readonly acked: OutgoingMessage[] = [];
  readonly refusals: { readonly message: OutgoingMessage; readonly fault: RelayError }[] = [];
  readonly retries: RelayError[] = [];
  readonly failures: RelayError[] = [];
  /** How many times any of the callbacks was called. */
  calls = 0;
  /** Called in the middle of a refusal. */
  onRefused: (message: OutgoingMessage) => void = () => undefined;
  /** What is answered when the session asks before it sends. */
  mayPublish = true;
  readonly #waiting = new Set<() => void>();

  maySend(): boolean {
    return this.mayPublish;
  }

  acknowledged(messages: readonly OutgoingMessage[]): void {
    this.acked.push(...messages);
    this.#heard();
  }

  refused(message: OutgoingMessage, fault: RelayError): void {
    this.refusals.push({ message, fault });
    this.onRefused(message);
    this.#heard();
  }

  retrying(error: RelayError): void {
    this.retries.push(error);
    this.#heard();
  }

  failed(error: RelayError): void {
    this.failures.push(error);
    this.#heard();
  }

  /** The ids of what was acknowledged, in order. */
  get ackedIds(): readonly string[] {
    return this.acked.map(({ row }) => row.id);
  }

  /** Resolves once so many messages are acknowledged; rejects when the session fails before. */
  ackedCount(count: number): Promise<void> {
    return this.heard(() => {
      const [failure] = this.failures;
      if (failure !== undefined && this.acked.length < count) throw failure;
      return this.acked.length >= count;
    }, `${count} acknowledgements`);
  }

  /** Resolves once the condition holds; it is looked at after each callback. */
  heard(condition: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (error: Error | null): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        if (error === null) resolve();
        else reject(error);
      };
      const look = (): void => {
        try {
          if (condition()) done(null);
        } catch (error) {
          done(error as Error);
        }
      };
      const timer = setTimeout(() => done(new Error(`waited for ${what}; ${this.#summary()}`)), TIMEOUT_MS);
      this.#waiting.add(look);
      look();
    });
  }

  #heard(): void {
    this.calls++;
    for (const look of this.#waiting) look();
  }

  #summary(): string {
    const faults = this.refusals.map(({ fault }) => fault.message).slice(0, 3);
    const failure = this.failures[0]?.message ?? 'none';
    return `${this.acked.length} acknowledged, refused: [${faults.join('; ')}], failure: ${failure}`;
  }
}
