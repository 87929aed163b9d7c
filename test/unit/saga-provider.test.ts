import { describe, expect, it } from 'vitest';
import { PaymentProvider } from '../../examples/saga/provider.ts';

async function put(url: string, path: string, body: object = {}): Promise<number> {
  return (await fetch(`${url}${path}`, { method: 'PUT', body: JSON.stringify(body) })).status;
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
});
