import { type Policy, resilient } from 'outbox-relay/resilience';
import { z } from 'zod';
import type { OrderLines } from '../messages.ts';
import { log } from '../runtime/log.ts';

const answer = z.object({ soldOut: z.array(z.string()) });

/**
 * Asks stock what is sold out while the customer waits: a question that changes nothing and whose answer is needed now, so a
 * call and not a message. It must not hold the customer up, so one short attempt; and whoever asks can do without an answer.
 */
export class Availability {
  readonly #url: string;
  readonly #policy: Policy;

  constructor(url: string) {
    this.#url = url;
    this.#policy = resilient({
      name: 'availability',
      timeoutMs: 250,
      retry: false,
      bulkhead: { concurrency: 8, queue: 0 },
      circuitBreaker: { openMs: 1000, maxOpenMs: 2000 },
      onEvent: ({ type, ...facts }) => log(`availability-${type}`, facts),
    });
  }

  /** What of this is sold out, as far as is known. Nothing when stock does not answer: the saga finds out. */
  async soldOut(lines: OrderLines): Promise<readonly string[]> {
    const query = new URLSearchParams(lines.map(({ sku }): [string, string] => ['sku', sku]));
    const asked = this.#policy.execute(async (signal) => {
      const response = await fetch(`${this.#url}/availability?${query.toString()}`, { signal });
      return answer.parse(await response.json()).soldOut;
    });
    return asked.catch(() => []);
  }
}
