import { ERROR_CATALOGUE, type ErrorClass, type ErrorCode } from './error-catalogue.ts';

/** Every error that crosses a module's border: a code from the catalogue, and what the operator needs to know. */
export class RelayError extends Error {
  override readonly name = 'RelayError';
  /** Stable; used in metrics, logs, `/status` and `docs/errors.md`. */
  readonly code: ErrorCode;
  readonly class: ErrorClass;
  /** How to mend it: the exact SQL, setting or command. */
  readonly remedy: string;

  /**
   * @param code from the catalogue, which gives class and default remedy
   * @param message what happened to what; never a secret, never a payload
   * @param options `cause`: the error underneath; `remedy`: more exact than the catalogue's
   */
  constructor(code: ErrorCode, message: string, options: { cause?: unknown; remedy?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.class = ERROR_CATALOGUE[code].class;
    this.remedy = options.remedy ?? ERROR_CATALOGUE[code].remedy;
  }

  /** Whether the same action may succeed later without anyone changing anything. */
  get retryable(): boolean {
    return this.class === 'transient';
  }
}

/** The message of anything that was thrown, with the messages of its causes; never a stack. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  for (let at = error, depth = 0; at !== undefined && at !== null && depth < 5; depth++) {
    const text = at instanceof Error ? at.message || at.name : typeof at === 'string' ? at : 'unknown error';
    if (!parts.includes(text)) parts.push(text);
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join(': ');
}
