import { describe, expect, it, vi } from 'vitest';
import { type FaultPlan, PaymentProvider, type ProviderFault } from '../../examples/saga/provider.ts';
import { Provider } from '../../examples/saga/services/payments/provider.ts';
import type { ResilienceEvent } from '../../src/resilience/index.ts';

async function put(url: string, path: string, body: object = {}): Promise<number> {
  return (await fetch(`${url}${path}`, { method: 'PUT', body: JSON.stringify(body) })).status;
}

/** The first requests have these faults, the others none. */
const script =
  (...faults: readonly ProviderFault[]): FaultPlan =>
  (request) =>
    faults[request - 1] ?? 'none';

/** The payment service's way to a provider, with all that the policies tell. */
async function wayTo(provider: PaymentProvider) {
  const events: ResilienceEvent[] = [];
  const way = new Provider(await provider.listen(), (event) => events.push(event));
  return { way, told: (wanted: Partial<ResilienceEvent>) => events.filter((event) => matches(event, wanted)).length };
}

/** As the collector does with a payment that is put off: until it passes. */
const eventually = <T>(act: () => Promise<T>): Promise<T> => vi.waitFor(act, { timeout: 10_000, interval: 1 });

function matches(event: ResilienceEvent, wanted: Partial<ResilienceEvent>): boolean {
  return Object.entries(wanted).every(([name, value]) => event[name as keyof ResilienceEvent] === value);
}

describe('the payment provider of the saga example', () => {
  it('moves money once for each reference, however often it is asked', async () => {
    await using provider = new PaymentProvider(null);
    const url = await provider.listen();
    expect(await put(url, '/payments/a', { amount: 100 })).toBe(201);
    expect(await put(url, '/payments/a', { amount: 100 })).toBe(200);
    expect([await put(url, '/reversals/a'), await put(url, '/reversals/a')]).toEqual([200, 200]);
    expect(provider.entries).toEqual([
      { reference: 'a', kind: 'charge', amount: 100 },
      { reference: 'a', kind: 'refund', amount: 100 },
    ]);
  });

  it('refuses a charge that comes behind its reversal, and what a card is not good for', async () => {
    await using provider = new PaymentProvider(null);
    const url = await provider.listen();
    expect(await put(url, '/reversals/b')).toBe(200);
    expect(await put(url, '/payments/b', { amount: 100 })).toBe(402);
    expect(await put(url, '/payments/c', { amount: 1_000_000 })).toBe(402);
    expect(provider.entries).toEqual([]);
  });

  it('leaves some charges for ever without an answer when it is faulty, and tells the world, not the caller', async () => {
    const unheard: string[] = [];
    await using provider = new PaymentProvider(script(), (reference) => unheard.push(reference));
    const url = await provider.listen();
    for (let n = 1; n < 8; n++) expect(await put(url, `/payments/${n}`, { amount: 100 })).toBe(201);
    for (let n = 0; n < 2; n++) await expect(put(url, '/payments/8', { amount: 100 })).rejects.toThrow(TypeError);
    expect(unheard).toEqual(['8']);
    expect(provider.entries.filter(({ reference }) => reference === '8')).toHaveLength(1);
    expect(await put(url, '/reversals/8')).toBe(200);
  });
});

describe("the payment service's way to the provider", () => {
  it.each<[ProviderFault, Partial<ResilienceEvent>]>([
    ['slow-answer', { type: 'timeout' }],
    ['slow-effect', { type: 'timeout' }],
    ['unavailable', { type: 'retry' }],
    ['answer-lost', { type: 'retry' }],
  ])('takes the money once when the first attempt is %s', async (fault, expected) => {
    await using provider = new PaymentProvider(script(fault));
    const { way, told } = await wayTo(provider);
    expect(await eventually(() => way.charge('a', 100))).toBe('taken');
    expect(told(expected)).toBeGreaterThan(0);
    expect(told({ type: 'retry' })).toBeGreaterThan(0);
    expect(provider.entries).toEqual([{ reference: 'a', kind: 'charge', amount: 100 }]);
  });

  it('spares a provider that is down, and comes back to it', async () => {
    const isDown = { yes: true };
    await using provider = new PaymentProvider(() => (isDown.yes ? 'unavailable' : 'none'));
    const { way, told } = await wayTo(provider);
    await eventually(async () => {
      await expect(way.charge('a', 100)).rejects.toThrow();
      expect(told({ type: 'rejected', by: 'circuit-breaker' })).toBeGreaterThan(0);
    });
    isDown.yes = false;
    expect(await eventually(() => way.charge('a', 100))).toBe('taken');
    expect(told({ type: 'circuit', state: 'closed' })).toBe(1);
  });

  it('refuses what is beyond its slots and its queue at once', async () => {
    await using provider = new PaymentProvider(null);
    const { way, told } = await wayTo(provider);
    const outcomes = await Promise.allSettled(Array.from({ length: 13 }, (_, n) => way.charge(String(n), 100)));
    expect(outcomes.at(-1)).toMatchObject({ status: 'rejected', reason: { code: 'bulkhead_full' } });
    expect(told({ type: 'rejected', by: 'bulkhead' })).toBe(1);
    expect(provider.entries.map(({ reference }) => reference)).not.toContain('12');
  });
});
