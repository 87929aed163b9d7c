import { type Policy, type ResilienceEvent, resilient } from 'outbox-relay/resilience';
import { log } from '../runtime/log.ts';

/** The provider is in trouble, or somebody on the way to it: the next attempt may pass. */
class ProviderTrouble extends Error {
  override readonly name = 'ProviderTrouble';
}

function logged(event: ResilienceEvent): void {
  if (event.type === 'circuit') log(`provider-circuit-${event.state}`);
  else if (event.type === 'rejected') log(`provider-rejected-by-${event.by}`);
  else log(`provider-${event.type}`, event);
}

/**
 * The payment provider, over HTTP: it belongs to somebody else, has no outbox, and is slow or down at times.
 *
 * Every call is a PUT on the order's id, so that repeating it is harmless: that is what makes retries right here.
 */
export class Provider {
  readonly #url: string;
  readonly #policy: Policy;

  constructor(url: string, onEvent = logged) {
    this.#url = url;
    this.#policy = resilient({
      name: 'provider',
      timeoutMs: 400,
      deadlineMs: 3000,
      retry: { attempts: 3, baseMs: 50, maxMs: 500 },
      bulkhead: { concurrency: 6, queue: 6 },
      circuitBreaker: { openMs: 500, maxOpenMs: 2000 },
      // What it answers is a decision; only what it does not answer is trouble.
      isTransient: (error) => error instanceof ProviderTrouble || error instanceof TypeError,
      onEvent,
    });
  }

  /** @throws when it is not to be had; then the charge may have been made or not */
  async charge(reference: string, amount: number): Promise<'taken' | 'declined'> {
    const { status } = await this.#put(`/payments/${reference}`, { amount });
    return status < 300 ? 'taken' : 'declined';
  }

  /** Gives back what was charged, if anything, and has a charge that is still on its way refused. @throws as {@link charge} */
  async reverse(reference: string): Promise<void> {
    await this.#put(`/reversals/${reference}`, {});
  }

  #put(path: string, body: object): Promise<Response> {
    return this.#policy.execute(async (signal) => {
      const response = await fetch(`${this.#url}${path}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal,
      });
      await response.arrayBuffer();
      if (response.status >= 500) throw new ProviderTrouble(`the provider answers ${response.status}`);
      return response;
    });
  }
}
