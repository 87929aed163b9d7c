import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import type { Kill } from '../../examples/saga/kills.ts';
import type { SagaResult } from '../../examples/saga/run.ts';
import type { Style } from '../../examples/saga/services/runtime/config.ts';
import { describeWithLauncher } from '../support/service.ts';

const MAIN = fileURLToPath(new URL('../../examples/saga/main.ts', import.meta.url));
const TIMEOUT_MS = 600_000;
const ORDERS = 30;

/** No order ends by its timeout, which would hide that a message about it is lost. */
const NEVER_MS = 10 * TIMEOUT_MS;

const AT_RANDOM_MOMENTS = ['rabbitmq', 'relay-of-orders', 'relay-of-payments', 'relay-of-stock'];

/** What was committed when a service was killed: wherever a state changes and something is said of it, both are there. */
const AT_COMMITS: Readonly<Record<Style, readonly string[]>> = {
  choreography: [
    'orders: INSERT orders (pending), INSERT outbox (order.placed)',
    'orders: INSERT inbox (orders), UPDATE orders (completed), INSERT outbox (order.completed)',
    'orders: INSERT inbox (orders), UPDATE orders (cancelled, out of stock), INSERT outbox (order.cancelled)',
    'orders: INSERT inbox (orders), UPDATE orders (cancelled, payment declined), INSERT outbox (order.cancelled)',
    'orders: UPDATE orders (cancelled, timed out), INSERT outbox (order.cancelled)',
    'payments: INSERT inbox (payments), INSERT payments',
    'payments: UPDATE payments (due, taken), INSERT outbox (payment.taken)',
    'payments: UPDATE payments (due, declined), INSERT outbox (payment.declined)',
    'payments: UPDATE payments (reversing, reversed)',
    'stock: INSERT inbox (stock), UPDATE items, INSERT holds, INSERT outbox (stock.reserved)',
    'stock: INSERT inbox (stock), INSERT outbox (stock.rejected)',
    'stock: INSERT inbox (stock), DELETE holds, UPDATE items',
  ],
  orchestration: [
    'orders: INSERT orders (reserving), INSERT outbox (stock.reserve)',
    'orders: INSERT inbox (orders), UPDATE orders (charging), INSERT outbox (payment.charge)',
    'orders: INSERT inbox (orders), UPDATE orders (completed), INSERT outbox (stock.ship)',
    'orders: INSERT inbox (orders), UPDATE orders (compensating, payment declined), INSERT outbox (stock.release)',
    'orders: UPDATE orders (compensating, timed out), INSERT outbox (payment.reverse), INSERT outbox (stock.release)',
    'orders: INSERT inbox (orders), UPDATE orders (cancelled, out of stock)',
    'payments: INSERT inbox (payments), INSERT payments, INSERT payments',
    'payments: UPDATE payments (due, taken), INSERT outbox (payment.taken)',
    'payments: UPDATE payments (due, declined), INSERT outbox (payment.declined)',
    'payments: UPDATE payments (reversing, reversed), INSERT outbox (payment.reversed)',
    'stock: INSERT inbox (stock), UPDATE items, INSERT holds, INSERT outbox (stock.reserved)',
    'stock: INSERT inbox (stock), INSERT outbox (stock.rejected)',
    'stock: INSERT inbox (stock), DELETE holds, UPDATE items',
    'stock: INSERT inbox (stock), DELETE holds, UPDATE items, INSERT outbox (stock.released)',
  ],
};

async function runExample(options: Readonly<Record<string, string>>, ...flags: readonly string[]) {
  const args = [...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]), ...flags];
  const child = spawn(process.execPath, ['--import', 'tsx', MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exit = once(child, 'exit').then(([code]) => code as number | null);
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { stdout, stderr, code };
}

const describe = ({ party, committed }: Kill): string => (committed === null ? party : `${party}: ${committed}`);

describeWithLauncher('rabbitmq', 'the saga example', () => {
  it(
    'accounts for every order, though each service is killed between any two commits, and relays and broker as well',
    async () => {
      const { stdout, stderr, code } = await runExample(
        ...[{ faults: 'all', seed: '7', orders: String(ORDERS), rate: '8', 'order-timeout-ms': String(NEVER_MS) }],
        '--json',
      );
      const results = JSON.parse(stdout || '[]') as SagaResult[];
      expect(
        results.map(({ style, problems }) => ({ style, problems })),
        stderr,
      ).toEqual([
        { style: 'choreography', problems: [] },
        { style: 'orchestration', problems: [] },
      ]);
      for (const { style, kills, answers, facts, told } of results) {
        expect(kills.map(describe)).toEqual(expect.arrayContaining([...AT_RANDOM_MOMENTS, ...AT_COMMITS[style]]));
        expect(answers.accepted.length + answers.refused).toBe(ORDERS);
        expect(facts.orders.length).toBe(answers.accepted.length);
        expect(told.duplicate).toBeGreaterThan(10);
        expect(stderr).toContain(`Accounted for (${style}): ${answers.accepted.length} orders placed`);
      }
      expect(code).toBe(0);
    },
    TIMEOUT_MS,
  );

  it('refuses what it does not know', async () => {
    const { stderr, code } = await runExample({ style: 'dance' });
    expect(code).toBe(2);
    expect(stderr).toContain('Allowed choices are choreography, orchestration, both');
  });
});
