/** What commands that can do without a configuration file make of their options, by the same rules as the file. */
import { Problems } from './problems.ts';
import { captureSchema } from './schema/capture.ts';
import type { Config } from './schema/config.ts';
import { postgresSchema, type PostgresConfig } from './schema/postgres.ts';
import { tableSchema } from './schema/table.ts';
import type { Surroundings } from './substitute.ts';
import { withTlsFiles } from './credential-files.ts';

/**
 * Reads a connection URL as `postgres.url` is read. A password that it leaves out is taken from `PGPASSWORD`, so that it
 * needs to stand in no process list.
 *
 * @throws RelayError `config_invalid`, without any secret
 */
export function parseConnection(url: string, { env, readFile }: Surroundings): PostgresConfig {
  const problems = new Problems();
  const { data, error } = postgresSchema.safeParse({ url });
  if (error !== undefined) problems.addIssues(error.issues);
  const connection = data && withTlsFiles(data, ['postgres'], readFile, problems);
  if (connection === undefined || !problems.none) throw problems.toError(() => 'from --url');
  return { ...connection, password: connection.password ?? env.PGPASSWORD ?? null };
}

/**
 * A table with the default columns.
 *
 * @param name as in SQL, such as `public.outbox`; undefined: the default name
 * @throws RelayError `config_invalid`
 */
export function parseTable(name: string | undefined): Config['table'] {
  const problems = new Problems();
  const { data, error } = tableSchema.safeParse(name === undefined ? {} : { name });
  if (error !== undefined) problems.addIssues(error.issues);
  if (data === undefined) throw problems.toError(() => 'from --table');
  return data;
}

/** The publication that is used unless the configuration names another. */
export function defaultPublication(): string {
  return captureSchema.parse({}).publication;
}
