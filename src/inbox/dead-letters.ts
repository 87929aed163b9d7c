import { runHandler } from './attempt.ts';
import type { InboxClient, Queryable } from './client.ts';
import { type DeadLetter, errorText } from './dead-letter.ts';
import { decodeDelivery } from './decode.ts';
import { InboxError } from './errors.ts';
import type { Decode, Handler, InboxMessage } from './message.ts';
import type { InboxSettings } from './options.ts';
import type { InboxStatements } from './statements.ts';
import { inTransaction } from './transaction.ts';

/** Which dead letters are listed. */
export interface ListOptions {
  /** @default 100 */
  readonly limit?: number;
  /** Those behind this position. */
  readonly after?: string;
  readonly orderKey?: string;
}

/** How dead letters are handled again. */
export interface RetryOptions<Client, Payload> {
  readonly handler: Handler<Client, InboxMessage<Payload>>;
  /** @default 'json' */
  readonly decode?: Decode<Payload>;
  readonly signal?: AbortSignal;
}

/** What came of handling several dead letters again. */
export interface RetryReport {
  readonly handled: number;
  /** Positions of those that failed again, with their errors. Others of their keys were left alone. */
  readonly failed: readonly { readonly position: string; readonly error: unknown }[];
}

const PAGE = 100;

/** The dead letters of one consumer. */
export class DeadLetters<Client extends InboxClient> {
  readonly #settings: InboxSettings<Client>;
  readonly #statements: InboxStatements;

  constructor(settings: InboxSettings<Client>, statements: InboxStatements) {
    this.#settings = settings;
    this.#statements = statements;
  }

  /** In the order in which they came. */
  list({ limit = PAGE, after = '0', orderKey }: ListOptions = {}): Promise<DeadLetter[]> {
    return this.#withClient((client) => this.#statements.letters(client, { after, orderKey: orderKey ?? null, limit }));
  }

  /**
   * Handles a dead letter again; with the handler's writes it leaves the table. When it fails it stays, with one attempt more.
   *
   * @throws InboxError `no_such_letter`; `not_first_of_key` where keys are blocked; what the handler throws
   */
  async retry<Payload>(position: string, options: RetryOptions<Client, Payload>): Promise<void> {
    try {
      await inTransaction(this.#settings, { lost: null }, async (client) => {
        const letter = await this.#take(client, position);
        const id = letter.id ?? `dead letter ${letter.position}`;
        const message = decodeDelivery({ ...letter, id, position: null }, options.decode ?? 'json');
        await runHandler(this.#settings, client, {
          message,
          handler: options.handler,
          signal: options.signal ?? new AbortController().signal,
          attempt: letter.attempts + 1,
        });
      });
    } catch (error) {
      if (!(error instanceof InboxError)) await this.#noteAttempt(position, error);
      throw error;
    }
  }

  /** Retries all that there are now, in order; behind one that fails, those of its order key are left out. */
  async retryAll<Payload>(options: RetryOptions<Client, Payload>): Promise<RetryReport> {
    const failed: { position: string; error: unknown }[] = [];
    const left = new Set<string>();
    let handled = 0;
    let letters: readonly DeadLetter[];
    for (let after = '0'; (letters = await this.list({ after })).length > 0; after = letters.at(-1)?.position ?? after)
      for (const { position, orderKey } of letters) {
        if (orderKey !== null && left.has(orderKey)) continue;
        if (options.signal?.aborted === true) return { handled, failed };
        try {
          await this.retry(position, options);
          handled++;
        } catch (error) {
          failed.push({ position, error });
          if (orderKey !== null) left.add(orderKey);
        }
      }
    return { handled, failed };
  }

  /**
   * Takes a dead letter out, unhandled. Its id stays recorded: the message is not handled when it comes again.
   *
   * @throws InboxError `no_such_letter`
   */
  async discard(position: string): Promise<DeadLetter> {
    return inTransaction(this.#settings, { lost: null }, async (client) =>
      this.#required(position, await this.#statements.takeLetter(client, position)),
    );
  }

  async #take(client: Client, position: string): Promise<DeadLetter> {
    const letter = this.#required(position, await this.#statements.takeLetter(client, position));
    if (!this.#settings.blocksKey || letter.orderKey === null) return letter;
    // Behind whoever is just being held back by this letter; those who come later find the key free, or still blocked.
    await this.#statements.lockKey(client, letter.orderKey);
    if (await this.#statements.hasEarlierLetter(client, letter.orderKey, position))
      throw new InboxError('not_first_of_key', `dead letter ${position} is not the first of its key`);
    return letter;
  }

  #required(position: string, letter: DeadLetter | null): DeadLetter {
    if (letter !== null) return letter;
    throw new InboxError('no_such_letter', `${this.#settings.consumer} has no dead letter ${position}`);
  }

  async #noteAttempt(position: string, error: unknown): Promise<void> {
    await this.#withClient((client) => this.#statements.noteAttempt(client, position, errorText(error)));
  }

  async #withClient<T>(use: (client: Queryable) => Promise<T>): Promise<T> {
    return inTransaction(this.#settings, { lost: null }, use);
  }
}
