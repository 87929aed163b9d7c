/** An order as its service has it. */
export interface OrderFact {
  readonly id: string;
  readonly state: string;
  readonly total: number;
  readonly lines: readonly { readonly sku: string; readonly quantity: number }[];
  readonly reason: string | null;
}

/** A message, as somebody hears it who hears all of them. */
export interface SaidMessage {
  readonly id: string;
  readonly type: string;
  readonly orderId: string;
}

/** All that is looked at in the end: what each service has, and what the provider has done. */
export interface Facts {
  /** What customers were told is placed. */
  readonly accepted: readonly string[];
  readonly orders: readonly OrderFact[];
  readonly items: readonly {
    readonly sku: string;
    readonly initial: number;
    readonly onHand: number;
    readonly held: number;
  }[];
  /** Orders for which stock is held. */
  readonly holds: readonly string[];
  readonly payments: readonly { readonly orderId: string; readonly state: string }[];
  readonly money: readonly {
    readonly reference: string;
    readonly kind: 'charge' | 'refund';
    readonly amount: number;
  }[];
  /** What the services have said to one another: each message once, however often it was delivered. */
  readonly said: readonly SaidMessage[];
  /** What is on its way, by where it is: rows of outboxes, messages in queues. */
  readonly onTheWay: Readonly<Record<string, number>>;
  /** Messages that were given up, by service. */
  readonly deadLetters: Readonly<Record<string, number>>;
}

const FINAL_PAYMENTS: Readonly<Record<string, ReadonlySet<string>>> = {
  completed: new Set(['taken']),
  cancelled: new Set(['void', 'declined', 'reversed']),
};

/** What is not as it has to be when all has come to rest; empty: every order is completed or cancelled, and all accounts agree. */
export function problemsOf(facts: Facts): readonly string[] {
  return [
    ...placed(facts),
    ...facts.orders.flatMap((order) => [...ended(order), ...paid(order, facts)]),
    ...strangers(facts),
    ...stock(facts),
    ...sums(facts),
    ...repetitions(facts),
    ...leftovers(facts),
  ];
}

function placed({ accepted, orders }: Facts): string[] {
  const known = new Set(orders.map(({ id }) => id));
  return accepted.filter((id) => !known.has(id)).map((id) => `order ${id} was accepted, and is not there`);
}

function ended({ id, state }: OrderFact): string[] {
  return state === 'completed' || state === 'cancelled' ? [] : [`order ${id} is still ${state}`];
}

/** Completed: charged once. Cancelled: never charged, or charged once and refunded once. */
function paid({ id, state, total }: OrderFact, { money, payments }: Facts): string[] {
  const moved = money.filter(({ reference }) => reference === id);
  const found = moved.map(({ kind, amount }) => `${kind} ${amount}`).join(', ');
  const right = state === 'completed' ? [`charge ${total}`] : ['', `charge ${total}, refund ${total}`];
  const problems = right.includes(found) ? [] : [`order ${id} is ${state}, its money: ${found || 'nothing'}`];
  const payment = payments.find(({ orderId }) => orderId === id);
  if (payment === undefined ? state === 'completed' : FINAL_PAYMENTS[state]?.has(payment.state) !== true)
    problems.push(`order ${id} is ${state}, its payment ${payment?.state ?? 'unknown'}`);
  return problems;
}

function strangers({ orders, money }: Facts): string[] {
  const known = new Set(orders.map(({ id }) => id));
  return money
    .filter(({ reference }) => !known.has(reference))
    .map(({ reference, kind }) => `there is a ${kind} without an order: ${reference}`);
}

function stock({ orders, items, holds }: Facts): string[] {
  const sold = (wanted: string): number =>
    orders
      .filter(({ state }) => state === 'completed')
      .flatMap(({ lines }) => lines)
      .reduce((sum, { sku, quantity }) => sum + (sku === wanted ? quantity : 0), 0);
  const counted = items.flatMap(({ sku, initial, onHand, held }) => {
    const expected = initial - sold(sku);
    return [
      ...(onHand === expected ? [] : [`${sku}: ${onHand} on hand, not ${expected}`]),
      ...(held === 0 ? [] : [`${sku}: ${held} still held`]),
    ];
  });
  return [...counted, ...holds.map((id) => `stock is still held for order ${id}`)];
}

function sums({ orders, money }: Facts): string[] {
  const earned = orders.reduce((sum, { state, total }) => sum + (state === 'completed' ? total : 0), 0);
  const kept = money.reduce((sum, { kind, amount }) => sum + (kind === 'charge' ? amount : -amount), 0);
  return earned === kept ? [] : [`completed orders come to ${earned}, the provider has ${kept}`];
}

/** Nothing is said of an order a second time under another id: an inbox cannot tell that it is the same. */
function repetitions({ said }: Facts): string[] {
  const counts = new Map<string, number>();
  for (const { type, orderId } of said) {
    const what = `${type} of order ${orderId}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return [...counts].flatMap(([what, count]) => (count === 1 ? [] : [`${what} was said ${count} times`]));
}

function leftovers({ onTheWay, deadLetters }: Facts): string[] {
  return [
    ...Object.entries(onTheWay).flatMap(([place, count]) => (count === 0 ? [] : [`${count} still in ${place}`])),
    ...Object.entries(deadLetters).flatMap(([service, count]) =>
      count === 0 ? [] : [`${count} dead letters at ${service}`],
    ),
  ];
}
