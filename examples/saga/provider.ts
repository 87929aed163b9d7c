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

/** Of the faulty provider: from some request on it is down for so long. */
const OUTAGE = { fromRequest: 25, lastsMs: 2000 };
/** Of so many charges the faulty provider leaves one without an answer, however often it is asked. */
const UNHEARD_EVERY = 8;
/** Longer than callers wait. */
const SLOW_MS = 900;

/** It does nothing and says so; does it, and says so too late; does it too late; does it, and does not say so. */
export type ProviderFault = 'none' | 'unavailable' | 'slow-answer' | 'slow-effect' | 'answer-lost';

/** What becomes of a request, by its number from 1 on. */
export type FaultPlan = (request: number) => ProviderFault;

/** Every fourth request or so has a fault, and for a while all are answered 503. The same seed draws the same. */
export function drawnFaults(seed: number): FaultPlan {
  const random = new Random(seed);
  let downSince: number | null = null;
  return (request) => {
    const drawn = random.next();
    if (request >= OUTAGE.fromRequest) downSince ??= performance.now();
    if (downSince !== null && performance.now() - downSince < OUTAGE.lastsMs) return 'unavailable';
    if (drawn < 0.06) return 'unavailable';
    if (drawn < 0.12) return 'slow-answer';
    if (drawn < 0.18) return 'slow-effect';
    return drawn < 0.24 ? 'answer-lost' : 'none';
  };
}

/**
 * A payment provider, somebody else's: it knows nothing of outboxes and messages, and lives through all that is killed. A request
 * may come twice; money moves once for each reference.
 */
export class PaymentProvider {
  readonly entries: ProviderEntry[] = [];
  readonly #payments = new Map<string, { readonly amount: number; state: 'taken' | 'declined' | 'reversed' }>();
  readonly #faults: FaultPlan | null;
  readonly #onUnheard: (reference: string) => void;
  /** References of charges of which nobody hears. */
  readonly #unheard = new Set<string>();
  readonly #server: Server;
  #requests = 0;

  /**
   * @param faults null: it has none
   * @param onUnheard called when a faulty provider has made a charge of which nobody will ever hear
   */
  constructor(faults: FaultPlan | null, onUnheard: (reference: string) => void = () => undefined) {
    this.#faults = faults;
    this.#onUnheard = onUnheard;
    this.#server = createServer((request, response) => {
      this.#requests++;
      const fault = this.#faults?.(this.#requests) ?? 'none';
      json(request)
        .then((body) => this.#serve(request.url ?? '', body, fault, response))
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

  async #serve(path: string, body: unknown, fault: ProviderFault, response: ServerResponse): Promise<void> {
    if (fault === 'unavailable') {
      response.writeHead(503).end();
      return;
    }
    if (fault === 'slow-effect') await delay(SLOW_MS);
    const status = this.#carryOut(path, body);
    if (fault === 'slow-answer') await delay(SLOW_MS);
    if (fault === 'answer-lost' || this.#isUnheard(path)) response.destroy();
    else response.writeHead(status).end();
  }

  #carryOut(path: string, body: unknown): number {
    const { resource, reference } = parsePath(path);
    if (resource === 'payments') return this.#charge(reference, (body as { amount: number }).amount);
    if (resource === 'reversals') return this.#reverse(reference);
    return 404;
  }

  #isUnheard(path: string): boolean {
    const { resource, reference } = parsePath(path);
    return resource === 'payments' && this.#unheard.has(reference);
  }

  #charge(reference: string, amount: number): number {
    const known = this.#payments.get(reference);
    if (known !== undefined) return known.state === 'taken' ? 200 : 402;
    const state = amount > CARD_LIMIT ? 'declined' : 'taken';
    this.#payments.set(reference, { amount, state });
    if (state === 'declined') return 402;
    this.entries.push({ reference, kind: 'charge', amount });
    const charges = this.entries.filter(({ kind }) => kind === 'charge').length;
    if (this.#faults !== null && charges % UNHEARD_EVERY === 0) this.#keepSilent(reference);
    return 201;
  }

  #keepSilent(reference: string): void {
    this.#unheard.add(reference);
    this.#onUnheard(reference);
  }

  #reverse(reference: string): number {
    const known = this.#payments.get(reference);
    if (known?.state === 'taken') this.entries.push({ reference, kind: 'refund', amount: known.amount });
    // Also when there was nothing to reverse: a charge that is still on its way is refused then.
    this.#payments.set(reference, { amount: known?.amount ?? 0, state: 'reversed' });
    return 200;
  }
}

function parsePath(path: string): { readonly resource: string; readonly reference: string } {
  const [, resource = '', reference = ''] = path.split('/');
  return { resource, reference };
}
