/**
 * `npm run example:saga`: orders, payments and stock as three services with an outbox, an inbox and a relay each. Exits with 0
 * when every order is completed or cancelled, and all accounts agree.
 */
import { CommanderError } from 'commander';
import { startPostgres } from '../../test/support/services/postgres.ts';
import { startRabbitmq } from '../../test/support/services/rabbitmq.ts';
import { parseOptions } from './options.ts';
import { reportLines } from './report.ts';
import { runSaga, type SagaResult } from './run.ts';

const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

async function play(args: readonly string[]): Promise<number> {
  const { styles, json, ...options } = parseOptions(args);
  const say = (line: string): void => void (json ? process.stderr : process.stdout).write(`${line}\n`);
  say('Starting Postgres and RabbitMQ ...');
  const [startedPostgres, startedRabbitmq] = await Promise.all([
    startPostgres(),
    startRabbitmq({ config: ['collect_statistics_interval = 500'], quorumTickMs: 500 }),
  ]);
  await using postgres = startedPostgres;
  await using rabbitmq = startedRabbitmq;
  const results: SagaResult[] = [];
  for (const style of styles) results.push(await runSaga(style, options, { postgres, rabbitmq }, say));
  for (const result of results) say(['', ...reportLines(result)].join('\n'));
  if (json) process.stdout.write(`${JSON.stringify(results)}\n`);
  return results.every(({ problems }) => problems.length === 0) ? EXIT.ok : EXIT.failed;
}

async function main(): Promise<number> {
  try {
    return await play(process.argv.slice(2));
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    process.stderr.write(`example: ${error instanceof Error ? error.message : String(error)}\n`);
    return EXIT.failed;
  }
}

// What was started is killed as this process exits.
process.once('SIGINT', () => process.exit(EXIT.interrupted));
process.once('SIGTERM', () => process.exit(EXIT.interrupted));
process.exit(await main());
