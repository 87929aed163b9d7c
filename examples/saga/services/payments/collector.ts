import { transact } from 'outbox-relay/client';
import type pg from 'pg';
import { send } from '../messages.ts';
import { log } from '../runtime/log.ts';
import { move, type OpenPayment, openPayments, putOff } from './payments.ts';
import type { Provider } from './provider.ts';
import type { PaymentStyle } from './reactions.ts';

const AT_A_TIME = 20;

/**
 * Brings open payments to the provider. Outside of the reactions: a transaction, and the session and the locks that go with
 * it, should not wait for somebody else's server. A payment that cannot be settled now stays open, and its turn comes again.
 */
export class Collector {
  readonly #pool: pg.Pool;
  readonly #provider: Provider;
  readonly #reversed: PaymentStyle['reversed'];
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(pool: pg.Pool, provider: Provider, reversed: PaymentStyle['reversed']) {
    this.#pool = pool;
    this.#provider = provider;
    this.#reversed = reversed;
  }

  /** Begins what is open and not under way, and resolves: it does not wait for the provider. */
  async collect(): Promise<void> {
    const room = AT_A_TIME - this.#underWay.size;
    if (room <= 0) return;
    for (const payment of await openPayments(this.#pool, [...this.#underWay.keys()], room)) {
      const settled = this.#settle(payment)
        .catch((error: unknown) => this.#putOff(payment.orderId, error))
        .finally(() => this.#underWay.delete(payment.orderId));
      this.#underWay.set(payment.orderId, settled);
    }
  }

  async #putOff(orderId: string, error: unknown): Promise<void> {
    log('payment-put-off', { orderId, error });
    await putOff(this.#pool, orderId).catch((again: unknown) => log('chore-failed', { error: again }));
  }

  async #settle({ orderId, amount, state }: OpenPayment): Promise<void> {
    if (state === 'reversing') {
      await this.#provider.reverse(orderId);
      await this.#inTransaction(async (tx) => {
        if (await move(tx, orderId, 'reversing', 'reversed')) await this.#reversed(tx, orderId);
      });
      return;
    }
    const outcome = await this.#provider.charge(orderId, amount);
    await this.#inTransaction(async (tx) => {
      // Not if the order was cancelled while the provider was asked: then the money goes back.
      if (await move(tx, orderId, 'due', outcome)) await send(tx, `payment.${outcome}`, { orderId });
    });
  }

  /** Repeated even if it may have committed: each piece of work looks first at the state that it leaves. */
  #inTransaction(work: (tx: pg.PoolClient) => Promise<void>): Promise<void> {
    return transact(this.#pool, work, { idempotent: true });
  }
}
