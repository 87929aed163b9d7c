import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import type { SagaResult } from '../../examples/saga/run.ts';
import { describeWithLauncher } from '../support/service.ts';

const MAIN = fileURLToPath(new URL('../../examples/saga/main.ts', import.meta.url));
const TIMEOUT_MS = 600_000;

async function runExample(...args: readonly string[]) {
  const child = spawn(process.execPath, ['--import', 'tsx', MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exit = once(child, 'exit').then(([code]) => code as number | null);
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { stdout, stderr, code };
}

describeWithLauncher('rabbitmq', 'the saga example', () => {
  it(
    'brings every order to a consistent end, whoever is killed in the middle of it',
    async () => {
      const { stdout, stderr, code } = await runExample(
        ...[
          '--style',
          'both',
          '--faults',
          'all',
          '--seed',
          '7',
          '--orders',
          '60',
          '--rate',
          '8',
          '--order-timeout-ms',
          '15000',
          '--json',
        ],
      );
      const results = JSON.parse(stdout || '[]') as SagaResult[];
      expect(
        results.map(({ style, problems }) => ({ style, problems })),
        stderr,
      ).toEqual([
        { style: 'choreography', problems: [] },
        { style: 'orchestration', problems: [] },
      ]);
      for (const { kills, answers, facts, told } of results) {
        expect(kills.map(({ party }) => party)).toEqual(
          expect.arrayContaining([
            'rabbitmq',
            'orders',
            'payments',
            'stock',
            'relay-of-orders',
            'relay-of-payments',
            'relay-of-stock',
          ]),
        );
        expect(answers.accepted.length + answers.refused).toBe(60);
        expect(facts.orders.length).toBe(answers.accepted.length);
        expect(told.duplicate).toBeGreaterThan(10);
      }
      expect(code).toBe(0);
    },
    TIMEOUT_MS,
  );

  it(
    'meets a provider that is slow and fails by timeout, retry, breaker and bulkhead, and accounts for it',
    async () => {
      const { stdout, stderr, code } = await runExample('--style', 'choreography', '--orders', '80', '--rate', '25');
      expect([stderr, code]).toEqual(['', 0]);
      expect(stdout).toMatch(/Accounted for \(choreography\): \d+ orders placed/);
      const [, ...counts] =
        /(\d+) timeouts, (\d+) retries, breaker opened (\d+) times, (\d+) calls spared by it, (\d+) refused by the bulkhead/.exec(
          stdout,
        ) ?? [];
      expect(counts).toHaveLength(5);
      expect(counts).not.toContain('0');
    },
    TIMEOUT_MS,
  );

  it('refuses what it does not know', async () => {
    const { stderr, code } = await runExample('--style', 'dance');
    expect(code).toBe(2);
    expect(stderr).toContain('Allowed choices are choreography, orchestration, both');
  });
});
