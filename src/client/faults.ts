import { OutboxError, type OutboxErrorCode, type OutboxIssue } from './errors.ts';

/** AMQP's short strings hold the type, the id and names of headers. */
const SHORT_STRING_BYTES = 255;
/** What Postgres cannot hold, and what would arrive as something else. */
const UNWRITABLE = /[\0\p{Surrogate}]/u;

/** Says which message is at fault, and where. Never with a value of it. */
export class MessageFaults {
  readonly #eventType: string | undefined;
  readonly #index: number | undefined;

  /** @param index its place in its batch; undefined: it is alone */
  constructor(eventType: unknown, index: number | undefined) {
    this.#eventType = typeof eventType === 'string' ? eventType : undefined;
    this.#index = index;
  }

  /** An error that names the message, and each of its faults with its path. */
  error(code: OutboxErrorCode, issues: readonly OutboxIssue[], cause?: unknown): OutboxError {
    const event = this.#eventType ?? 'a message without type';
    const which = this.#index === undefined ? event : `messages[${this.#index}] (${event})`;
    const text = issues.map(({ path, message }) => `${path}: ${message}`).join('; ');
    return new OutboxError(code, `${which}: ${text}`, {
      cause,
      eventType: this.#eventType,
      index: this.#index,
      issues,
    });
  }

  /** @param expected completes `expected …` */
  invalid(path: string, expected: string, cause?: unknown): OutboxError {
    return this.error('invalid_message', [{ path, message: `expected ${expected}` }], cause);
  }

  /** @param what is too large, as the path of the issue */
  tooLarge(what: string, bytes: number, limit: number): OutboxError {
    const message = `expected at most ${limit} bytes, not ${bytes}; put what is large elsewhere and send a reference, or raise limits here and at the broker`;
    return this.error('message_too_large', [{ path: what, message }]);
  }

  /** A text that is not empty and that Postgres can hold. @throws OutboxError `invalid_message` */
  text(path: string, value: unknown): string {
    if (typeof value !== 'string' || value === '') throw this.invalid(path, 'a text that is not empty');
    return this.writable(path, value);
  }

  /** Such a text of at most 255 bytes. @throws OutboxError `invalid_message` */
  shortText(path: string, value: unknown): string {
    const text = this.text(path, value);
    if (Buffer.byteLength(text) > SHORT_STRING_BYTES) throw this.invalid(path, `at most ${SHORT_STRING_BYTES} bytes`);
    return text;
  }

  /** @throws OutboxError `invalid_message` for a NUL or half of a surrogate pair */
  writable(path: string, value: string): string {
    if (UNWRITABLE.test(value)) throw this.invalid(path, 'a text without NUL and without lone surrogates');
    return value;
  }
}
