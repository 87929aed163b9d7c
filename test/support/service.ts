import pg from 'pg';
import { afterAll, beforeAll, describe, inject, test } from 'vitest';
import { messageOf } from './service-selection.ts';
import type { RunningService, ServiceName } from './service-state.ts';
import { kafkaDistribution } from './services/kafka-distribution.ts';
import { DEFAULT_KAFKA_VERSION } from './services/kafka.ts';
import { postgresBinaries, postgresMajor } from './services/postgres-binaries.ts';
import { prometheusDistribution } from './services/prometheus-distribution.ts';
import { rabbitmqDistribution } from './services/rabbitmq-distribution.ts';
import { uniqueName } from './unique-name.ts';

export { uniqueName } from './unique-name.ts';

/**
 * A suite of tests on a shared service; reported as skipped, with the reason, when the service is not to be had.
 *
 * @param body gets the service. Other files use it at the same time: take names (topics, queues, databases) of its own,
 *   see {@link uniqueName} and {@link freshDatabase}, and never stop it, see {@link describeWithLauncher}
 */
export function describeWithService(name: ServiceName, title: string, body: (service: RunningService) => void): void {
  const state = inject('services')[name];
  if ('url' in state) describe(title, () => body(state));
  else skipped(title, `${name} is missing: ${state.missing}`);
}

/**
 * A suite of tests that start services of their own, by the launchers in test/support/services, because they kill or
 * configure them; reported as skipped, with the reason, when what a launcher needs is not to be had. With `CI=true` that
 * is a failure.
 */
export function describeWithLauncher(name: Launchable, title: string, body: () => void): void {
  describeWithTool(`an own ${name}`, LAUNCHABLE[name], title, body);
}

/**
 * A suite of tests that need a tool; reported as skipped, with the reason, when `obtain` throws. With `CI=true` that is a
 * failure.
 */
export function describeWithTool<T>(
  tool: string,
  obtain: () => Promise<T>,
  title: string,
  body: (tool: T) => void,
): void {
  describe(title, async () => {
    let obtained: T;
    try {
      obtained = await obtain();
    } catch (error) {
      if (process.env.CI === 'true') throw error;
      test.skip(`needs ${tool}: ${messageOf(error)}`);
      return;
    }
    body(obtained);
  });
}

/** The URL of the shared Postgres server, as its superuser. @throws when there is none */
export function requirePostgres(): string {
  return requireService('postgres').url;
}

/** A shared service. @throws when there is none; {@link describeWithService} skips instead */
export function requireService(name: ServiceName): RunningService {
  const state = inject('services')[name];
  if ('url' in state) return state;
  throw new Error(`${name} is missing: ${state.missing}`);
}

/**
 * A database of its own on the shared Postgres server for the suite or file in which this is called: made before its
 * tests and dropped, together with its slots and connections, after them.
 */
export function freshDatabase(): { readonly url: string; readonly name: string } {
  const name = uniqueName('test');
  beforeAll(() => onServer((client) => client.query(`create database ${name}`)));
  afterAll(() => onServer((client) => dropDatabase(client, name)));
  return {
    name,
    get url() {
      const url = new URL(requirePostgres());
      url.pathname = `/${name}`;
      return url.href;
    },
  };
}

/** What tests start themselves: the shared services, and those that nobody shares. */
type Launchable = ServiceName | 'prometheus';

const LAUNCHABLE: Readonly<Record<Launchable, () => Promise<unknown>>> = {
  postgres: async () => postgresBinaries(postgresMajor()),
  kafka: () => kafkaDistribution(process.env.KAFKA_VERSION ?? DEFAULT_KAFKA_VERSION),
  rabbitmq: rabbitmqDistribution,
  prometheus: prometheusDistribution,
};

function skipped(title: string, reason: string): void {
  describe(title, () => {
    test.skip(reason);
  });
}

async function onServer(act: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: requirePostgres() });
  await client.connect();
  try {
    await act(client);
  } finally {
    await client.end();
  }
}

async function dropDatabase(client: pg.Client, name: string): Promise<void> {
  await client.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name]);
  await client.query(
    'select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = $1 and not temporary',
    [name],
  );
  await client.query(`drop database ${name} with (force)`);
}
