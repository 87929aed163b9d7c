import { AttemptFailed, isUsableId, recordOnce, runHandler } from './attempt.ts';
import { cleanUp, type CleanupOptions } from './cleanup.ts';
import type { InboxClient } from './client.ts';
import { DeadLetters } from './dead-letters.ts';
import { InboxError } from './errors.ts';
import type { Delivery, Handler, Identified, Outcome } from './message.ts';
import { type InboxOptions, type InboxSettings, resolveOptions } from './options.ts';
import { Processor, type ProcessOptions } from './processor.ts';
import { InboxStatements } from './statements.ts';

/** How one attempt is made. */
export interface HandleOptions {
  /** Aborted: the attempt is rolled back. */
  readonly signal?: AbortSignal;
  /** What the handler is told. @default 1 */
  readonly attempt?: number;
}

/**
 * Handles each message once, by recording its id in the transaction of the handler's own writes. Adapters for the brokers'
 * clients feed it (`outbox-relay/inbox/kafkajs` and others); {@link handle} is for any other way in which messages come.
 */
export class Inbox<Client extends InboxClient> {
  readonly deadLetters: DeadLetters<Client>;
  readonly #settings: InboxSettings<Client>;
  readonly #statements: InboxStatements;
  readonly #processor: Processor<Client>;

  constructor(settings: InboxSettings<Client>) {
    this.#settings = settings;
    this.#statements = new InboxStatements(settings.tables, settings.consumer);
    this.#processor = new Processor(settings, this.#statements);
    this.deadLetters = new DeadLetters(settings, this.#statements);
  }

  /** Whose inbox it is. */
  get consumer(): string {
    return this.#settings.consumer;
  }

  /** Tells whoever listens to the inbox; for adapters. */
  get onEvent(): InboxSettings<Client>['onEvent'] {
    return this.#settings.onEvent;
  }

  /**
   * One attempt: records the id and runs the handler in one transaction. Acknowledge the message when this resolves.
   *
   * Two at a time with the same id, wherever they run, are handled once: the second waits for the first, and then is a duplicate,
   * or runs if the first was rolled back.
   *
   * @throws what the handler does, or COMMIT: all is rolled back; InboxError `database_unavailable`,
   *   `key_blocked`, `no_id`
   */
  async handle<Message extends Identified>(
    message: Message,
    handler: Handler<Client, Message>,
    { signal = new AbortController().signal, attempt = 1 }: HandleOptions = {},
  ): Promise<'handled' | 'duplicate'> {
    if (!isUsableId(message.id))
      throw new InboxError('no_id', 'id: expected a text that is not empty, without NUL and lone surrogates');
    try {
      const recorded = await recordOnce(this.#settings, this.#statements, message, async (client, known) => {
        if (known === 'held') throw new InboxError('key_blocked', 'a dead letter holds the key of this message back');
        if (known === 'new') await runHandler(this.#settings, client, { message, handler, signal, attempt });
      });
      return recorded === 'known' ? 'duplicate' : 'handled';
    } catch (error) {
      throw error instanceof AttemptFailed ? error.cause : error;
    }
  }

  /** Brings a delivery to an end, with as many attempts as it may have, or among the dead letters; for adapters. */
  process<Payload>(delivery: Delivery, options: ProcessOptions<Client, Payload>): Promise<Outcome> {
    return this.#processor.process(delivery, options);
  }

  /** Deletes ids that are older than duplicates can be. @returns how many */
  cleanUp(options: CleanupOptions): Promise<number> {
    return cleanUp(this.#settings, this.#statements, options);
  }
}

/** @throws InboxError `invalid_options` */
export function createInbox<Client extends InboxClient>(options: InboxOptions<Client>): Inbox<Client> {
  const settings = resolveOptions(options);
  // Nobody else may listen: then the end of an idle session would end the process.
  settings.pool.on?.('error', (error) => settings.onEvent({ type: 'database-trouble', delayMs: 0, error }));
  return new Inbox(settings);
}
