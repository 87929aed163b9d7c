import { describe, expect, it } from 'vitest';
import { type Facts, problemsOf } from '../../examples/saga/accounting.ts';

const order = (id: string, state: string, total = 100) => ({
  id,
  state,
  total,
  lines: [{ sku: 'lamp', quantity: 2 }],
  reason: null,
});
const charge = (reference: string, amount = 100) => ({ reference, kind: 'charge' as const, amount });
const refund = (reference: string, amount = 100) => ({ reference, kind: 'refund' as const, amount });

/** One order completed, one cancelled before it was paid, one after. */
const AT_REST: Facts = {
  accepted: ['a', 'b', 'c'],
  orders: [order('a', 'completed'), order('b', 'cancelled'), order('c', 'cancelled')],
  items: [{ sku: 'lamp', initial: 10, onHand: 8, held: 0 }],
  holds: [],
  payments: [
    { orderId: 'a', state: 'taken' },
    { orderId: 'c', state: 'reversed' },
  ],
  money: [charge('a'), charge('c'), refund('c')],
  said: [
    { id: '1', type: 'order.placed', orderId: 'a' },
    { id: '2', type: 'order.placed', orderId: 'b' },
    { id: '3', type: 'order.completed', orderId: 'a' },
  ],
  onTheWay: { 'the outbox of orders': 0 },
  deadLetters: { stock: 0 },
};

describe('the accounting of the saga example', () => {
  it('finds nothing where all has come to rest', () => {
    expect(problemsOf(AT_REST)).toEqual([]);
  });

  it.each<[string, Partial<Facts>, string[]]>([
    ['an order that is lost', { accepted: ['a', 'b', 'c', 'd'] }, ['order d was accepted, and is not there']],
    [
      'an order that has not ended',
      { orders: [...AT_REST.orders, order('d', 'charging')] },
      ['order d is still charging'],
    ],
    [
      'a second charge',
      { money: [charge('a'), ...AT_REST.money] },
      ['order a is completed, its money: charge 100, charge 100', 'completed orders come to 100, the provider has 200'],
    ],
    [
      'a second refund',
      { money: [...AT_REST.money, refund('c')] },
      [
        'order c is cancelled, its money: charge 100, refund 100, refund 100',
        'completed orders come to 100, the provider has 0',
      ],
    ],
    [
      'a cancelled order that stays paid',
      { money: [charge('a'), charge('c')] },
      ['order c is cancelled, its money: charge 100', 'completed orders come to 100, the provider has 200'],
    ],
    [
      'a charge without an order',
      { money: [...AT_REST.money, charge('x'), refund('x')] },
      ['there is a charge without an order: x', 'there is a refund without an order: x'],
    ],
    [
      'a payment that is not settled',
      {
        payments: [
          { orderId: 'a', state: 'taken' },
          { orderId: 'c', state: 'reversing' },
        ],
      },
      ['order c is cancelled, its payment reversing'],
    ],
    [
      'a completed order of which payments do not know',
      { payments: [] },
      ['order a is completed, its payment unknown'],
    ],
    [
      'stock that left twice',
      { items: [{ sku: 'lamp', initial: 10, onHand: 6, held: 0 }] },
      ['lamp: 6 on hand, not 8'],
    ],
    [
      'stock that is still held',
      { items: [{ sku: 'lamp', initial: 10, onHand: 8, held: 2 }], holds: ['b'] },
      ['lamp: 2 still held', 'stock is still held for order b'],
    ],
    [
      'what is said a second time under another id',
      { said: [...AT_REST.said, { id: '4', type: 'order.placed', orderId: 'b' }] },
      ['order.placed of order b was said 2 times'],
    ],
    ['what is on its way', { onTheWay: { 'the outbox of orders': 3 } }, ['3 still in the outbox of orders']],
    ['dead letters', { deadLetters: { stock: 1 } }, ['1 dead letters at stock']],
  ])('tells %s', (_, change, expected) => {
    const problems = problemsOf({ ...AT_REST, ...change });
    for (const problem of expected) expect(problems).toContain(problem);
  });
});
