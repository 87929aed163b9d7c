import type { OrderFact } from './accounting.ts';
import type { Kill } from './kills.ts';
import type { SagaResult } from './run.ts';

const EXAMPLES = 10;

/** How it went, in words. */
export function reportLines(result: SagaResult): readonly string[] {
  const { style, answers, facts, problems } = result;
  const { accepted, refused } = answers;
  const completed = facts.orders.filter(({ state }) => state === 'completed');
  const charged = facts.money.filter(({ kind }) => kind === 'charge');
  const refunded = facts.money.filter(({ kind }) => kind === 'refund');
  return [
    `${problems.length === 0 ? 'Accounted for' : 'FAILED'} (${style}): ${accepted.length} orders placed, ${refused} refused as sold out`,
    `  orders    ${completed.length} completed, ${cancelled(facts.orders)}`,
    `  money     ${euros(charged)} charged, ${euros(refunded)} given back; completed orders come to ${euros(completed.map(({ total }) => ({ amount: total })))}`,
    `  stock     ${facts.items.map(({ sku, initial, onHand }) => `${initial - onHand} ${sku}`).join(', ')} shipped, ${facts.items.reduce((sum, { held }) => sum + held, 0)} held`,
    ...happenings(result).map((line) => `  ${line}`),
    ...problems.slice(0, EXAMPLES).map((problem) => `  ${problem}`),
    ...(problems.length > EXAMPLES ? [`  ... and ${problems.length - EXAMPLES} more`] : []),
  ];
}

/** What was in the way, and what has met it. */
function happenings({ told, requests, kills }: SagaResult): string[] {
  const count = (event: string): number => told[event] ?? 0;
  const provider = [
    `${requests} requests`,
    `${count('provider-timeout')} timeouts`,
    `${count('provider-retry')} retries`,
    `breaker opened ${count('provider-circuit-open')} times`,
    `${count('provider-rejected-by-circuit-breaker')} calls spared by it`,
    `${count('provider-rejected-by-bulkhead')} refused by the bulkhead`,
    `${count('payment-put-off')} payments put off`,
  ];
  const messages = [
    `${count('duplicate')} duplicates told by their ids`,
    `${count('late-reply')} replies too late`,
    `${count('retry')} messages tried again`,
  ];
  return [
    `provider  ${provider.join(', ')}`,
    `messages  ${messages.join(', ')}`,
    ...(kills.length === 0 ? [] : [`killed    ${killed(kills)}`]),
  ];
}

function killed(kills: readonly Kill[]): string {
  const parties = [...new Set(kills.map(({ party }) => party))];
  const times = (wanted: string): number => kills.filter(({ party }) => party === wanted).length;
  return parties.map((party) => `${party} ${times(party)}x`).join(', ');
}

function cancelled(orders: readonly OrderFact[]): string {
  const reasons = new Map<string, number>();
  for (const { state, reason } of orders)
    if (state === 'cancelled') reasons.set(reason ?? '', (reasons.get(reason ?? '') ?? 0) + 1);
  const all = [...reasons.values()].reduce((sum, count) => sum + count, 0);
  const why = [...reasons].map(([reason, count]) => `${count} ${reason}`).join(', ');
  return `${all} cancelled${why === '' ? '' : ` (${why})`}`;
}

function euros(entries: readonly { readonly amount: number }[]): string {
  return (entries.reduce((sum, { amount }) => sum + amount, 0) / 100).toFixed(2);
}
