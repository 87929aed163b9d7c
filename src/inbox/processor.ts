import { backoffDelay } from '../core/backoff.ts';
import { pause } from '../core/pause.ts';
import { circuitBreaker } from '../resilience/circuit-breaker.ts';
import { ResilienceError } from '../resilience/errors.ts';
import type { Policy } from '../resilience/policy.ts';
import { AttemptFailed, type FailureKind, isUsableId, recordOnce, runHandler } from './attempt.ts';
import type { InboxClient } from './client.ts';
import { type DeadLetter, type DeadLetterReason, newDeadLetter, storable } from './dead-letter.ts';
import { decodeDelivery } from './decode.ts';
import type { Decode, Delivery, Handler, InboxMessage, Outcome } from './message.ts';
import type { InboxSettings } from './options.ts';
import type { InboxStatements, Recorded } from './statements.ts';
import { answered, inTransaction } from './transaction.ts';

/** How long a database that is away is left alone. */
const TROUBLE_BACKOFF = { baseMs: 200, maxMs: 5000 };

/** So often the session may be lost under a handler, without a word of the server, before the handler is taken to end it. */
const MAX_LOST_SESSIONS = 10;

/** How a delivery is processed. */
export interface ProcessOptions<Client, Payload> {
  readonly handler: Handler<Client, InboxMessage<Payload>>;
  readonly decode: Decode<Payload>;
  /** Bounds how many attempts run at a time; pauses between them are outside of it. */
  readonly slots: Policy;
  /** Aborted: no further attempt begins. */
  readonly stopping: AbortSignal;
  /** Aborted: those that run are given up, too. */
  readonly aborted: AbortSignal;
}

/** Why a delivery is given up. */
interface GivenUp {
  readonly reason: DeadLetterReason;
  readonly error: unknown;
  readonly attempts: number;
}

const REASONS: Readonly<Record<Exclude<FailureKind, 'unavailable'>, DeadLetterReason>> = {
  rejected: 'rejected',
  failed: 'attempts_exhausted',
  session_lost: 'session_lost',
};

/**
 * Brings deliveries to an end: tries the handler with pauses until it is done, or the message goes to the dead letters. As long as
 * the database is away nothing comes to an end, and no attempt is counted.
 */
export class Processor<Client extends InboxClient> {
  readonly #settings: InboxSettings<Client>;
  readonly #statements: InboxStatements;
  /** Between all deliveries of this process and the database. */
  readonly #breaker: Policy;

  constructor(settings: InboxSettings<Client>, statements: InboxStatements) {
    this.#settings = settings;
    this.#statements = statements;
    this.#breaker = circuitBreaker({
      name: 'postgres',
      window: 10,
      minimumCalls: 5,
      openMs: 500,
      maxOpenMs: TROUBLE_BACKOFF.maxMs,
      isTransient: isDatabaseTrouble,
      onEvent: (event) => {
        if (event.type === 'circuit') settings.onEvent({ type: 'circuit', state: event.state });
      },
    });
  }

  async process<Payload>(given: Delivery, options: ProcessOptions<Client, Payload>): Promise<Outcome> {
    const delivery = { ...given, orderKey: given.orderKey === null ? null : storable(given.orderKey) };
    const outcome = await this.#handle(delivery, options);
    if (outcome !== 'abandoned') this.#settings.onEvent({ type: 'settled', id: delivery.id, outcome });
    return outcome;
  }

  async #handle<Payload>(delivery: Delivery, options: ProcessOptions<Client, Payload>): Promise<Outcome> {
    const { id } = delivery;
    if (!isUsableId(id))
      return this.#giveUp(delivery, options, { reason: 'no_id', error: new Error('no usable id'), attempts: 0 });
    let message: InboxMessage<Payload>;
    try {
      message = decodeDelivery({ ...delivery, id }, options.decode);
    } catch (error) {
      return this.#giveUp(delivery, options, { reason: 'undecodable', error, attempts: 0 });
    }
    const ended = await this.#tryAgainAndAgain(delivery, message, options);
    return typeof ended === 'string' ? ended : this.#giveUp(delivery, options, ended);
  }

  async #tryAgainAndAgain<Payload>(
    delivery: Delivery,
    message: InboxMessage<Payload>,
    options: ProcessOptions<Client, Payload>,
  ): Promise<Outcome | GivenUp> {
    const { retry, onEvent } = this.#settings;
    const failures = { failed: 0, session_lost: 0, unavailable: 0 };
    while (!options.stopping.aborted) {
      const attempt = failures.failed + failures.session_lost + 1;
      const ended = await this.#attempt(delivery, message, attempt, options);
      if (typeof ended === 'string') return ended;
      const { kind, cause: error } = ended;
      if (options.aborted.aborted) break;
      if (kind === 'unavailable') {
        await this.#waitForDatabase(failures.unavailable++, error, options.stopping);
        continue;
      }
      failures.unavailable = 0;
      if (kind !== 'rejected') failures[kind]++;
      if (kind === 'rejected' || failures.failed >= retry.attempts || failures.session_lost >= MAX_LOST_SESSIONS)
        return { reason: REASONS[kind], error, attempts: attempt };
      const delayMs = backoffDelay(retry, attempt - 1);
      onEvent({ type: 'retry', id: message.id, attempt: attempt + 1, delayMs, error });
      await pause(delayMs, options.stopping);
    }
    return 'abandoned';
  }

  async #attempt<Payload>(
    delivery: Delivery,
    message: InboxMessage<Payload>,
    attempt: number,
    { handler, slots, stopping, aborted }: ProcessOptions<Client, Payload>,
  ): Promise<Outcome | AttemptFailed> {
    const held: DeadLetter[] = [];
    const call = (): Promise<Recorded> =>
      recordOnce(this.#settings, this.#statements, message, async (client, recorded) => {
        if (recorded === 'new')
          await runHandler(this.#settings, client, { message, handler, signal: aborted, attempt });
        if (recorded === 'held') held.push(await this.#writeLetter(client, delivery, HELD));
      });
    try {
      const recorded = await slots.execute(() => this.#breaker.execute(call), stopping);
      this.#tell(held);
      return OUTCOMES[recorded];
    } catch (error) {
      if (error instanceof AttemptFailed) return error;
      if (error instanceof ResilienceError) return new AttemptFailed('unavailable', error);
      if (stopping.aborted) return 'abandoned';
      throw error;
    }
  }

  /** Writes the dead letter, however long it takes: nothing else is left to do with the message. */
  async #giveUp<Payload>(
    delivery: Delivery,
    { stopping }: ProcessOptions<Client, Payload>,
    why: GivenUp,
  ): Promise<Outcome> {
    for (let troubles = 0; !stopping.aborted; troubles++) {
      try {
        return await this.#breaker.execute(() => this.#deadLetter(delivery, why));
      } catch (error) {
        await this.#waitForDatabase(troubles, error, stopping);
      }
    }
    return 'abandoned';
  }

  async #deadLetter(delivery: Delivery, why: GivenUp): Promise<Outcome> {
    const { position, orderKey } = delivery;
    const place = position === null ? null : `at ${position}`;
    const id = why.reason === 'no_id' ? place : delivery.id;
    const identified = id === null ? null : { id, orderKey };
    const written: DeadLetter[] = [];
    const write = async (client: Client): Promise<void> => {
      written.push(await this.#writeLetter(client, delivery, why));
    };
    // Without anything to tell it by, a message is written each time that it comes.
    if (identified === null) await inTransaction(this.#settings, { lost: null }, write);
    else
      await recordOnce(this.#settings, this.#statements, identified, async (client, recorded) =>
        recorded === 'known' ? undefined : write(client),
      );
    this.#tell(written);
    return written.length === 0 ? 'duplicate' : 'dead-lettered';
  }

  async #writeLetter(client: Client, delivery: Delivery, { reason, error, attempts }: GivenUp): Promise<DeadLetter> {
    const letter = await answered(this.#settings, 'a dead letter was not written', () =>
      this.#statements.insertLetter(client, newDeadLetter(delivery, reason, error, attempts)),
    );
    await this.#settings.onDeadLetter?.(client, letter);
    return letter;
  }

  #tell(committed: readonly DeadLetter[]): void {
    for (const letter of committed) this.#settings.onEvent({ type: 'dead-letter', letter });
  }

  async #waitForDatabase(troubles: number, error: unknown, stopping: AbortSignal): Promise<void> {
    const delayMs = backoffDelay(TROUBLE_BACKOFF, troubles);
    this.#settings.onEvent({ type: 'database-trouble', delayMs, error });
    await pause(delayMs, stopping);
  }
}

const OUTCOMES: Readonly<Record<Recorded, Outcome>> = { new: 'handled', known: 'duplicate', held: 'held' };

const HELD: GivenUp = {
  reason: 'key_blocked',
  error: new Error('a dead letter of the same order key is before it'),
  attempts: 0,
};

/** Not a session that was lost under a handler: one message could keep all others from the database. */
function isDatabaseTrouble(error: unknown): boolean {
  return error instanceof AttemptFailed && error.kind === 'unavailable';
}
