import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  advance,
  BEGIN,
  type Saga,
  type SagaCommand,
  type SagaEvent,
} from '../../examples/saga/services/orders/saga.ts';

const EVENTS: readonly SagaEvent[] = [
  ...(['stock.reserved', 'stock.rejected', 'stock.released'] as const),
  ...(['payment.taken', 'payment.declined', 'payment.reversed'] as const),
  'timeout',
];

/** Where a saga comes to by these events, and all that it has said. */
function play(events: readonly SagaEvent[]): { readonly saga: Saga; readonly commands: readonly SagaCommand[] } {
  let { saga } = BEGIN;
  const commands = [...BEGIN.commands];
  for (const event of events) {
    const next = advance(saga, event);
    saga = next?.saga ?? saga;
    commands.push(...(next?.commands ?? []));
  }
  return { saga, commands };
}

describe('the saga of an order', () => {
  it.each<[string, SagaEvent[], string, SagaCommand[]]>([
    ['is paid and shipped', ['stock.reserved', 'payment.taken'], 'completed', ['payment.charge', 'stock.ship']],
    ['ends where there is no stock', ['stock.rejected'], 'cancelled', []],
    [
      'releases the stock when the payment is declined',
      ['stock.reserved', 'payment.declined', 'stock.released'],
      'cancelled',
      ['payment.charge', 'stock.release'],
    ],
    [
      'undoes all that may have been done when its time is over',
      ['stock.reserved', 'timeout', 'payment.reversed', 'stock.released'],
      'cancelled',
      ['payment.charge', 'payment.reverse', 'stock.release'],
    ],
    [
      'releases the stock that it has not heard of yet',
      ['timeout', 'stock.reserved', 'stock.released'],
      'cancelled',
      ['stock.release'],
    ],
    [
      'does nothing about a payment that comes too late: it is being given back',
      ['stock.reserved', 'timeout', 'payment.taken', 'stock.released', 'payment.reversed', 'payment.taken'],
      'cancelled',
      ['payment.charge', 'payment.reverse', 'stock.release'],
    ],
  ])('%s', (_, events, step, commands) => {
    const played = play(events);
    expect(played.saga.step).toBe(step);
    expect(played.commands).toEqual(['stock.reserve', ...commands]);
  });

  it('remembers why it was cancelled while it compensates', () => {
    expect(play(['stock.reserved', 'timeout', 'stock.released', 'payment.reversed']).saga.reason).toBe('timed out');
  });

  it('comes to the same whatever comes again', () => {
    const history = fc.array(fc.constantFrom(...EVENTS), { maxLength: 12 });
    fc.assert(
      fc.property(history, (events) => {
        const twice = events.flatMap((event) => [event, event]);
        expect(play(twice)).toEqual(play(events));
      }),
    );
  });

  it('never ships what it does not charge, and undoes whatever it leaves', () => {
    const history = fc.array(fc.constantFrom(...EVENTS), { maxLength: 12 });
    fc.assert(
      fc.property(history, (events) => {
        const { saga, commands } = play(events);
        const said = new Set(commands);
        expect(commands).toHaveLength(said.size);
        expect(said.has('stock.ship')).toBe(saga.step === 'completed');
        if (saga.step === 'cancelled' || saga.step === 'compensating') {
          const rejected = saga.reason === 'out of stock';
          expect(said.has('stock.release')).toBe(!rejected);
          const declined = saga.reason === 'payment declined';
          expect(said.has('payment.reverse')).toBe(said.has('payment.charge') && !declined);
        }
      }),
    );
  });
});
