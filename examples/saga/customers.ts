import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { resilient } from 'outbox-relay/resilience';
import { Random } from '../../test/support/simulation/random.ts';
import { CATALOG } from './services/catalog.ts';
import type { OrderLines } from './services/messages.ts';

/** Every so often somebody wants more than there is: of something that is not sold out, so that only the saga finds out. */
const BULK_EVERY = 12;
const BULK: OrderLines = [{ sku: 'clock', quantity: 50 }];

/** What customers have been told. */
export interface Answers {
  /** Ids of orders that are placed. */
  readonly accepted: readonly string[];
  readonly refused: number;
  /** Asked in vain, to the end of their patience: such an order may be placed or not. */
  readonly unanswered: number;
}

/**
 * Places orders, so many a second. A customer who gets no answer asks again for the same order, for as long as it takes: the
 * order's id is the customer's, so asking again is harmless.
 */
export async function placeOrders(
  url: string,
  options: { readonly orders: number; readonly rate: number; readonly seed: number },
): Promise<Answers> {
  const random = new Random(options.seed);
  const patience = resilient({
    name: 'shop',
    deadlineMs: 300_000,
    timeoutMs: 3000,
    retry: { attempts: 1000, baseMs: 100, maxMs: 1000 },
    bulkhead: { concurrency: options.orders },
    circuitBreaker: false,
  });
  const place = async (lines: OrderLines): Promise<{ readonly id: string; readonly status: number | null }> => {
    const id = randomUUID();
    const body = JSON.stringify({ id, lines });
    const asked = patience.execute(async (signal) => {
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${url}/orders`, { method: 'POST', headers, body, signal });
      if (response.status >= 500) throw new Error(`the shop answers ${response.status}`);
      return response.status;
    });
    return { id, status: await asked.catch(() => null) };
  };
  const placed = [];
  for (let n = 0; n < options.orders; n++) {
    placed.push(place(n % BULK_EVERY === 0 ? BULK : drawLines(random)));
    await delay(1000 / options.rate);
  }
  const answers = await Promise.all(placed);
  return {
    accepted: answers.filter(({ status }) => status === 202).map(({ id }) => id),
    refused: answers.filter(({ status }) => status === 409).length,
    unanswered: answers.filter(({ status }) => status !== 202 && status !== 409).length,
  };
}

function drawLines(random: Random): OrderLines {
  const skus = Object.keys(CATALOG);
  const first = random.below(skus.length);
  const chosen = random.chance(0.3) ? [first, (first + 1) % skus.length] : [first];
  return chosen.map((index) => ({ sku: skus[index] ?? '', quantity: 1 + random.below(2) }));
}
