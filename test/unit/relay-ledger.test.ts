import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ledger } from '../../src/relay/ledger.ts';
import { NOBODY, message, row } from './relay-support.ts';

type Step =
  | { readonly do: 'send' | 'acknowledge' | 'settle' | 'forget'; readonly position: bigint; readonly id: string }
  | { readonly do: 'forgetSent' };

/** The last two are the same number in floating point. */
const POSITIONS = [1n, 2n, 2n ** 53n, 2n ** 53n + 1n];

describe('the ledger', () => {
  const named = fc.record({
    do: fc.constantFrom('send', 'acknowledge', 'settle', 'forget' as const),
    position: fc.constantFrom(...POSITIONS),
    id: fc.constantFrom('a', 'b', 'c'),
  });
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 9, arbitrary: named },
    { weight: 1, arbitrary: fc.constant<Step>({ do: 'forgetSent' }) },
  );

  it('agrees with a plain map by position and id, whatever the order of events', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const ledger = new Ledger(NOBODY);
        const model = new Map<string, 'sent' | 'acknowledged'>();
        for (const next of steps) {
          if (next.do === 'forgetSent') {
            ledger.forgetSent();
            for (const [name, state] of model) if (state === 'sent') model.delete(name);
          } else apply(ledger, model, next);
          const states = [...model.values()];
          expect(ledger.sent).toBe(states.filter((state) => state === 'sent').length);
          expect(ledger.sentBytes).toBe(ledger.sent * 7);
          expect(ledger.undeleted).toBe(states.filter((state) => state === 'acknowledged').length);
        }
        for (const position of POSITIONS) {
          for (const id of ['a', 'b', 'c']) expect(ledger.has({ position, id })).toBe(model.has(`${position}/${id}`));
        }
      }),
    );
  });

  function apply(
    ledger: Ledger,
    model: Map<string, 'sent' | 'acknowledged'>,
    next: Exclude<Step, { do: 'forgetSent' }>,
  ): void {
    const name = `${next.position}/${next.id}`;
    const known = model.get(name);
    switch (next.do) {
      case 'send':
        if (known !== undefined) return;
        ledger.send(message(next.position, { id: next.id, bytes: 7 }));
        model.set(name, 'sent');
        return;
      case 'acknowledge':
        expect(ledger.acknowledge(next) !== null).toBe(known === 'sent');
        if (known !== undefined) model.set(name, 'acknowledged');
        return;
      case 'settle':
        ledger.settle(next);
        model.delete(name);
        return;
      case 'forget':
        expect(ledger.forget(next)).toBe(known !== undefined);
        model.delete(name);
    }
  }

  it('still knows, while a pass runs, what was in flight when the pass began', () => {
    const ledger = new Ledger(NOBODY);
    ledger.send(message(1n));
    ledger.beginPass();
    ledger.send(message(2n));
    for (const position of [1n, 2n]) {
      ledger.acknowledge(row(position));
      ledger.settle(row(position));
    }
    // the pass's snapshot may be older than the deletion of 1, but not older than the sending of 2
    expect([ledger.has(row(1n)), ledger.has(row(2n))]).toEqual([true, false]);
    ledger.endPass();
    expect(ledger.has(row(1n))).toBe(false);
  });
});
