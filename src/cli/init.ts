import { type Command, Option } from 'commander';
import type { InitOptions, InitPlan } from '../postgres/init.ts';
import type { PayloadType } from '../postgres/migrate.ts';
import type { PostgresOptions } from '../postgres/connection.ts';
import type { Config } from '../config/index.ts';
import type { Finish } from './command.ts';
import { configOf, configOption, type ConfigOption, SURROUNDINGS } from './config-option.ts';
import { EXIT } from './exit-codes.ts';
import { indent, type JsonOption, print, printJson } from './output.ts';
import { withProgress } from './progress.ts';

interface Options extends ConfigOption, JsonOption {
  readonly url?: string;
  readonly table?: string;
  readonly payload: PayloadType;
  readonly relayRole?: string;
  readonly writerRole?: string;
  /** False: `--no-publication`. */
  readonly publication?: string | false;
  readonly backfillBy?: string;
  readonly dryRun: boolean;
  readonly yes: boolean;
}

/** As `PAYLOAD_TYPES` of the module that is loaded only when it is needed. */
const PAYLOADS: readonly PayloadType[] = ['jsonb', 'json', 'text', 'bytea'];

const EXAMPLES = `
Safe to run again, and by several at once; this is the upgrade as well. What exists already is left as it is, and on an
existing table nothing is changed without --yes.

Examples:
  outbox-relay init --url postgres://postgres@localhost/shop --relay-role outbox_relay --writer-role shop --dry-run
  outbox-relay init --config relay.yaml --url postgres://owner@db.example/shop --yes`;

/** `outbox-relay init`: tables, publication and grants. */
export function addInit(program: Command, finish: Finish): void {
  program
    .command('init')
    .description('create or upgrade the outbox table, the tables beside it, the publication and the grants')
    .addOption(configOption())
    .option('--url <url>', 'log in by this postgres:// URL instead (password: $PGPASSWORD)')
    .option('--table <name>', 'the outbox table (default: table.name, else public.outbox)')
    .addOption(
      new Option('--payload <type>', 'type of the payload column, should the table be made')
        .choices(PAYLOADS)
        .default('jsonb'),
    )
    .option('--relay-role <role>', 'grant this role what the relay needs (default: postgres.user of the configuration)')
    .option('--writer-role <role>', 'grant this role to insert rows')
    .option('--publication <name>', 'name of the publication (default: capture.publication, else outbox_relay)')
    .option('--no-publication', 'none: the relay is to poll')
    .option('--backfill-by <column>', 'show how rows of a table without an order column would be numbered')
    .option('--dry-run', 'only print the SQL', false)
    .option('-y, --yes', 'also change a table that exists already', false)
    .option('--json', 'report as JSON', false)
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => finish(await init(options)));
}

async function init(options: Options): Promise<number> {
  const { postgres, wanted } = await settingsOf(options);
  const { closeConnection, connectSql } = await import('../postgres/connection.ts');
  const { applyInit, initScript, planInit } = await import('../postgres/init.ts');
  const client = await connectSql(postgres, 'init');
  try {
    if (options.dryRun) {
      const plan = await planInit(client, wanted);
      if (options.json) printJson({ ...plan, applied: false });
      else process.stdout.write(initScript(plan));
      return EXIT.ok;
    }
    const result = await withProgress((report) => applyInit(client, wanted, options.yes, report));
    if (options.json) printJson(result);
    else if (result.applied) reportDone(result, wanted);
    else refuse(initScript(result), wanted);
    return result.applied ? EXIT.ok : EXIT.configuration;
  } finally {
    await closeConnection(client);
  }
}

interface Settings {
  readonly postgres: PostgresOptions;
  readonly wanted: InitOptions;
}

/** By `--url` alone, else by the configuration, with another login where `--url` is given as well. */
async function settingsOf(options: Options): Promise<Settings> {
  const { url, config: file } = options;
  if (url === undefined) {
    const config = await configOf(options);
    return { postgres: config.postgres, wanted: await wantedBy(options, config) };
  }
  const { parseConnection } = await import('../config/index.ts');
  const config = file === undefined ? null : await configOf(options);
  return { postgres: parseConnection(url, SURROUNDINGS), wanted: await wantedBy(options, config) };
}

/** Options go before the configuration, that before the defaults. */
async function wantedBy(options: Options, config: Config | null): Promise<InitOptions> {
  const { defaultPublication, parseTable } = await import('../config/index.ts');
  const { tableMapping } = await import('../app/routes.ts');
  const { shardLayout } = await import('../app/sharding.ts');
  const mapping = config === null ? { ...parseTable(options.table), extra: [] } : tableMapping(config);
  const named = config === null || options.table === undefined ? {} : parseTable(options.table);
  const usual = config?.capture.mode === 'polling' ? false : (config?.capture.publication ?? defaultPublication());
  const publication = options.publication ?? usual;
  return {
    mapping: { ...mapping, ...named, columns: mapping.columns },
    payload: options.payload,
    relayRole: options.relayRole ?? config?.postgres.user ?? null,
    writerRole: options.writerRole ?? null,
    publication: publication === false ? null : publication,
    ...(config === null ? {} : { sharding: shardLayout(config) }),
    ...(options.backfillBy === undefined ? {} : { backfillBy: options.backfillBy }),
  };
}

function reportDone({ statements, notes }: InitPlan, { mapping }: InitOptions): void {
  const name = `${mapping.schema}.${mapping.name}`;
  const done = [...new Set(statements.map(({ purpose }) => purpose))];
  if (done.length === 0) print(`Nothing to do: ${name} is set up.`);
  else print(`Set up ${name}:`, ...done.map((purpose) => indent(`- ${purpose}`, 2)));
  for (const note of notes) print(`Note: ${note}`);
}

function refuse(script: string, { mapping }: InitOptions): void {
  process.stdout.write(script);
  process.stderr.write(
    `${mapping.schema}.${mapping.name} exists already, so nothing has been changed; --yes does what is above.\n`,
  );
}
