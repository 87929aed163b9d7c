/** What is sold: its price in cents, and how much of it there is at the beginning. */
export const CATALOG: Readonly<Record<string, { readonly price: number; readonly onHand: number }>> = {
  lamp: { price: 4900, onHand: 10_000 },
  chair: { price: 12_900, onHand: 10_000 },
  desk: { price: 34_900, onHand: 10_000 },
  clock: { price: 2900, onHand: 25 },
};

/** What an order comes to, in cents; null when it has something that is not sold. */
export function totalOf(lines: readonly { readonly sku: string; readonly quantity: number }[]): number | null {
  let total = 0;
  for (const { sku, quantity } of lines) {
    const price = CATALOG[sku]?.price;
    if (price === undefined) return null;
    total += price * quantity;
  }
  return total;
}
