import type { Config } from '../config/index.ts';
import { describeError, RelayError } from '../core/errors.ts';
import type { Finding } from '../core/finding.ts';
import type { OutboxTable } from '../core/table.ts';
import { checkPostgres } from '../postgres/check/index.ts';
import { closeConnection, connectSql } from '../postgres/connection.ts';
import { postgresError } from '../postgres/error.ts';
import { inspectTable } from '../postgres/table.ts';
import { createRouter } from '../route/router.ts';
import { createPublisher } from './publishers.ts';
import { fixedAddresses, routeSpecs, tableMapping } from './routes.ts';
import { shardLayout } from './sharding.ts';

/** What was found in one place. */
export interface CheckSection {
  readonly title: string;
  readonly findings: readonly Finding[];
}

/**
 * Examines all that the relay needs before it is started: the database, and each destination. Changes nothing. What
 * cannot be reached is a finding as well.
 *
 * @param signal ends the examination of the brokers
 */
export async function checkAll(config: Config, signal: AbortSignal): Promise<readonly CheckSection[]> {
  const destinations = Object.entries(config.destinations).map(async ([name, destination]) => {
    const addresses = fixedAddresses(config, name);
    const findings = await createPublisher(destination, addresses)
      .check(addresses, signal)
      .catch((thrown: unknown) => [failure(name, thrown)]);
    return { title: `destination ${name}`, findings };
  });
  return [
    { title: 'configuration', findings: examineConfig(config) },
    { title: 'postgres', findings: await examineDatabase(config) },
    ...(await Promise.all(destinations)),
  ];
}

/** That it has been loaded says that it is valid. */
function examineConfig({ warnings }: Config): readonly Finding[] {
  if (warnings.length === 0) return [{ status: 'ok', subject: 'config', message: 'it is valid' }];
  return warnings.map((message) => ({ status: 'warning', subject: 'config', message }));
}

async function examineDatabase(config: Config): Promise<readonly Finding[]> {
  const { postgres, capture } = config;
  try {
    const client = await connectSql(postgres, 'check');
    try {
      const mapping = tableMapping(config);
      const findings = await checkPostgres(client, {
        mapping,
        publication: capture.publication,
        sharding: shardLayout(config),
        captureMode: capture.mode,
        walBudgetBytes: capture.walBudget,
        connection: postgres,
        keepsPublished: config.published.retain !== null,
      });
      const found = findings.some(({ subject, status }) => subject === 'postgres.table' && status === 'ok');
      return found ? [...findings, ...examineRoutes(config, await inspectTable(client, mapping))] : findings;
    } finally {
      await closeConnection(client);
    }
  } catch (thrown) {
    return [failure('postgres.connection', postgresError(thrown, 'examining the database'))];
  }
}

/** What routes ask of columns that the table has: a fault, or nothing. */
function examineRoutes(config: Config, table: OutboxTable): readonly Finding[] {
  try {
    createRouter(routeSpecs(config), table, Object.keys(config.destinations));
    return [];
  } catch (thrown) {
    return [failure('routes', thrown)];
  }
}

function failure(subject: string, thrown: unknown): Finding {
  const { message, remedy } =
    thrown instanceof RelayError ? thrown : new RelayError('internal', describeError(thrown), { cause: thrown });
  return { status: 'error', subject, message, remedy };
}
