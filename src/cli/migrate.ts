import { type Command, Option } from 'commander';
import type { Finding } from '../core/finding.ts';
import type { Migration } from '../migrate/debezium/migrate.ts';
import { type Finish, usageError } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { createStyle, indent, type JsonOption, printable, printJson, type Style } from './output.ts';

interface Options extends JsonOption {
  readonly properties?: readonly string[];
  readonly connect?: string;
  readonly worker?: readonly string[];
  readonly table?: string;
  readonly url?: string;
  readonly force: boolean;
}

const EXAMPLES = `
The configuration goes to standard output, what there is to say of each setting to standard error. Exits with ${EXIT.configuration},
without a configuration, when something stands in the way; --force prints what can be said nevertheless.
Changes nothing, and connects to nothing but the database of --url. Secrets in clear become variables.

Examples:
  outbox-relay migrate debezium --properties application.properties > relay.yaml
  outbox-relay migrate debezium --properties application.properties --properties server.env --url postgres://localhost/shop
  outbox-relay migrate debezium --connect connector.json --worker connect-distributed.properties > relay.yaml`;

/** `outbox-relay migrate`: configurations of other programs as the relay's own. */
export function addMigrate(program: Command, finish: Finish): void {
  const migrate = program
    .command('migrate')
    .description('turn the configuration of another program into one of the relay');
  migrate
    .command('debezium')
    .description('the outbox event router of Debezium Server or Kafka Connect, and say what of it becomes of what')
    .addOption(
      several(
        '--properties <file>',
        'application.properties of a Debezium Server, or its environment; repeat: later ones go first',
      ),
    )
    .addOption(new Option('--connect <file>', 'connector of Kafka Connect, as JSON').conflicts('properties'))
    .addOption(several('--worker <file>', 'properties of the worker of Kafka Connect: its converters and brokers'))
    .option('--table <name>', 'the outbox table, where the connector captures several')
    .option('--url <url>', 'look into the database whether rows are deleted (password: $PGPASSWORD)')
    .option('--force', 'print a configuration also where something stands in the way', false)
    .option('--json', 'report as JSON', false)
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options, command: Command) => finish(await migrateDebezium(options, command)));
}

async function migrateDebezium(options: Options, command: Command): Promise<number> {
  const { properties = [], connect, worker = [], table, url } = options;
  if (properties.length === 0 && connect === undefined) usageError(command, 'expected --properties or --connect');
  if (worker.length > 0 && connect === undefined) usageError(command, '--worker is for --connect');
  const { migrateFromDebezium } = await import('../app/migrate.ts');
  const migration = await migrateFromDebezium({
    ...{ properties, worker },
    ...(connect !== undefined && { connect }),
    ...(table !== undefined && { table }),
    ...(url !== undefined && { url }),
  });
  const wanted = migration.ok || options.force;
  if (options.json) printJson({ ...migration, config: wanted ? migration.config : null });
  else await tell(migration, wanted);
  return migration.ok ? EXIT.ok : EXIT.configuration;
}

async function tell({ ok, config, findings }: Migration, wanted: boolean): Promise<void> {
  const style = createStyle(process.stderr);
  const order: readonly Finding['status'][] = ['ok', 'warning', 'error'];
  const lines = order.flatMap((status) =>
    findings.filter((finding) => finding.status === status).flatMap((finding) => findingLines(finding, style)),
  );
  const end = ok
    ? style.good('nothing stands in the way')
    : style.bad('something stands in the way: see what is marked with !');
  process.stderr.write([...lines, end, ''].join('\n'));
  if (!wanted || config === null) return;
  const { stringify } = await import('yaml');
  process.stdout.write(`${HEADING}${stringify(config, { lineWidth: 0 })}`);
}

const HEADING = `# yaml-language-server: $schema=./outbox-relay.schema.json
# Made of a configuration of Debezium by \`outbox-relay migrate debezium\`.
`;

function findingLines({ status, subject, message, remedy }: Finding, style: Style): readonly string[] {
  const mark = { ok: style.faint('-'), warning: style.warning('~'), error: style.bad('!') }[status];
  const line = `${mark} ${printable(subject)}: ${printable(message)}`;
  return remedy === undefined ? [line] : [line, indent(printable(remedy), 4)];
}

function several(flags: string, description: string): Option {
  return new Option(flags, description).argParser<readonly string[] | undefined>((file, before) => [
    ...(before ?? []),
    file,
  ]);
}
