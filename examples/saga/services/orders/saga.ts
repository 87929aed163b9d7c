/** Of an order's saga. The last two are final. */
export type Step = 'reserving' | 'charging' | 'compensating' | 'completed' | 'cancelled';

/** Where a saga is: all that is to be remembered of it. */
export interface Saga {
  readonly step: Step;
  /** While compensating: which compensations are not confirmed yet. */
  readonly awaiting: readonly Confirmation[];
  /** Why it is, or will be, cancelled. */
  readonly reason: string | null;
}

type Confirmation = 'stock.released' | 'payment.reversed';

/** What moves a saga on. */
export type SagaEvent =
  'stock.reserved' | 'stock.rejected' | 'payment.taken' | 'payment.declined' | Confirmation | 'timeout';

/** What participants are told to do. */
export type SagaCommand = 'stock.reserve' | 'stock.ship' | 'stock.release' | 'payment.charge' | 'payment.reverse';

/** Where it is then, and what is to be said: both in one transaction. */
export interface Advance {
  readonly saga: Saga;
  readonly commands: readonly SagaCommand[];
}

/** The first step. */
export const BEGIN: Advance = {
  saga: { step: 'reserving', awaiting: [], reason: null },
  commands: ['stock.reserve'],
};

/**
 * One step of the saga:
 *
 *     reserving ── stock.reserved ──> charging ── payment.taken ──> completed
 *       │    └── stock.rejected ──────────────────────────────────────────────┐
 *       │ timeout                       │ payment.declined, timeout           v
 *       └──────────────> compensating <─┘ ── all is confirmed ──────────> cancelled
 *
 * Compensation undoes whatever may have been done: after a timeout nobody knows what has. It has no timeout of its own, since
 * it cannot fail: it is repeated until it is confirmed.
 *
 * @returns null for what comes late, or twice: nothing is to be done about it
 */
export function advance(saga: Saga, event: SagaEvent): Advance | null {
  switch (saga.step) {
    case 'reserving':
      if (event === 'stock.reserved') return step('charging', ['payment.charge']);
      if (event === 'stock.rejected') return step('cancelled', [], 'out of stock');
      if (event === 'timeout') return compensate('timed out', ['stock.released']);
      return null;
    case 'charging':
      if (event === 'payment.taken') return step('completed', ['stock.ship']);
      if (event === 'payment.declined') return compensate('payment declined', ['stock.released']);
      if (event === 'timeout') return compensate('timed out', ['payment.reversed', 'stock.released']);
      return null;
    case 'compensating':
      return confirmed(saga, event);
    case 'completed':
    case 'cancelled':
      return null;
  }
}

const COMPENSATIONS: Readonly<Record<Confirmation, SagaCommand>> = {
  'stock.released': 'stock.release',
  'payment.reversed': 'payment.reverse',
};

function step(to: Step, commands: readonly SagaCommand[], reason: string | null = null): Advance {
  return { saga: { step: to, awaiting: [], reason }, commands };
}

function compensate(reason: string, awaiting: readonly Confirmation[]): Advance {
  return {
    saga: { step: 'compensating', awaiting, reason },
    commands: awaiting.map((confirmation) => COMPENSATIONS[confirmation]),
  };
}

function confirmed(saga: Saga, event: SagaEvent): Advance | null {
  const awaiting = saga.awaiting.filter((each) => each !== event);
  if (awaiting.length === saga.awaiting.length) return null;
  if (awaiting.length === 0) return step('cancelled', [], saga.reason);
  return { saga: { ...saga, awaiting }, commands: [] };
}
