import { setTimeout as delay } from 'node:timers/promises';

/** How long {@link until} waits and how often it asks. */
export interface UntilOptions {
  /** What is waited for, for the message of the error. */
  readonly what: string;
  /** In milliseconds. @default 30000 */
  readonly timeoutMs?: number;
  /** Pause between two questions, in milliseconds. @default 20 */
  readonly everyMs?: number;
  /** Asked when the time is up, to say more. */
  readonly details?: () => string | Promise<string>;
}

/**
 * Asks until the answer is neither `undefined` nor `false`, and returns it. For conditions that nothing signals; an
 * error thrown by `ask` counts as "not yet" and ends up in the message when the time is up.
 */
export async function until<T>(
  ask: () => T | Promise<T>,
  options: UntilOptions,
): Promise<Exclude<T, undefined | false>> {
  const timeoutMs = options.timeoutMs ?? 30_000;
  const deadline = performance.now() + timeoutMs;
  let lastError: unknown;
  do {
    try {
      const answer = await answerBy(deadline, ask);
      if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    await delay(options.everyMs ?? 20);
  } while (performance.now() < deadline);
  const details = await options.details?.();
  const reason = lastError instanceof Error ? `: ${lastError.message}` : '';
  throw new Error(`waited ${timeoutMs} ms for ${options.what}${reason}${details ? `\n${details}` : ''}`, {
    cause: lastError,
  });
}

/** A question that is never answered, as to a client that forgot a request, must not outlast the deadline. */
async function answerBy<T>(deadline: number, ask: () => T | Promise<T>): Promise<T> {
  const late = new AbortController();
  const silence = delay(Math.max(0, deadline - performance.now()), undefined, { signal: late.signal }).then(() => {
    throw new Error('no answer to the last question');
  });
  try {
    return await Promise.race([ask(), silence]);
  } finally {
    late.abort();
    silence.catch(() => undefined);
  }
}
