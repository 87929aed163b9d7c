import type { Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { Random } from '../../test/support/simulation/random.ts';

/** A movement of money. */
export interface ProviderEntry {
  readonly reference: string;
  readonly kind: 'charge' | 'refund';
  readonly amount: number;
}

/** Up to so much, in cents, anybody's card is good for. */
const CARD_LIMIT = 60_000;

/** Of the faulty provider: it goes down at some request, for so long, and for so many requests at least. */
const OUTAGE = { afterRequests: 25, lastsMs: 2000, lastsRequests: 12 };
/** Longer than callers wait. */
const SLOW_MS = 900;

type Fault = 'none' | 'unavailable' | 'slow-answer' | 'slow-effect' | 'answer-lost';

/**
 * A payment provider, somebody else's: it knows nothing of outboxes and messages, and lives through all that is killed. A request
 * may come twice; money moves once for each reference. When it is faulty it is so in all the ways that count: it does nothing and
 * says so, it does what it is asked and does not say so in time, or does it later than anybody waits for.
 */
export class PaymentProvider {
  readonly entries: ProviderEntry[] = [];
  readonly #payments = new Map<string, { readonly amount: number; state: 'taken' | 'declined' | 'reversed' }>();
  readonly #random: Random | null;
  readonly #server: Server;
  #requests = 0;
  #outage: { readonly beganAt: number; refused: number } | null = null;

  /** @param seed of its faults; null: it has none */
  constructor(seed: number | null) {
    this.#random = seed === null ? null : new Random(seed);
    this.#server = createServer((request, response) => {
      this.#requests++;
      json(request)
        .then((body) => this.#serve(request.url ?? '', body, response))
        .catch(() => response.destroy());
    });
  }

  get requests(): number {
    return this.#requests;
  }

  /** Begins to listen. @returns its URL */
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => void this.#server.close(() => resolve()));
  }

  async #serve(path: string, body: unknown, response: ServerResponse): Promise<void> {
    const fault = this.#drawFault();
    if (fault === 'unavailable') {
      response.writeHead(503).end();
      return;
    }
    if (fault === 'slow-effect') await delay(SLOW_MS);
    const status = this.#carryOut(path, body);
    if (fault === 'slow-answer') await delay(SLOW_MS);
    if (fault === 'answer-lost') response.destroy();
    else response.writeHead(status).end();
  }

  #carryOut(path: string, body: unknown): number {
    const [, resource, reference = ''] = path.split('/');
    if (resource === 'payments') return this.#charge(reference, (body as { amount: number }).amount);
    if (resource === 'reversals') return this.#reverse(reference);
    return 404;
  }

  #charge(reference: string, amount: number): number {
    const known = this.#payments.get(reference);
    if (known !== undefined) return known.state === 'taken' ? 200 : 402;
    const state = amount > CARD_LIMIT ? 'declined' : 'taken';
    this.#payments.set(reference, { amount, state });
    if (state === 'taken') this.entries.push({ reference, kind: 'charge', amount });
    return state === 'taken' ? 201 : 402;
  }

  #reverse(reference: string): number {
    const known = this.#payments.get(reference);
    if (known?.state === 'taken') this.entries.push({ reference, kind: 'refund', amount: known.amount });
    // Also when there was nothing to reverse: a charge that is still on its way is refused then.
    this.#payments.set(reference, { amount: known?.amount ?? 0, state: 'reversed' });
    return 200;
  }

  #isDown(): boolean {
    if (this.#requests < OUTAGE.afterRequests) return false;
    this.#outage ??= { beganAt: performance.now(), refused: 0 };
    const { beganAt, refused } = this.#outage;
    if (performance.now() - beganAt > OUTAGE.lastsMs && refused >= OUTAGE.lastsRequests) return false;
    this.#outage.refused++;
    return true;
  }

  #drawFault(): Fault {
    if (this.#random === null) return 'none';
    const drawn = this.#random.next();
    if (this.#isDown()) return 'unavailable';
    if (drawn < 0.06) return 'unavailable';
    if (drawn < 0.12) return 'slow-answer';
    if (drawn < 0.18) return 'slow-effect';
    return drawn < 0.24 ? 'answer-lost' : 'none';
  }
}
