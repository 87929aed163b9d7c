import type { Command } from 'commander';
import type { Finish } from './command.ts';
import { configOf, configOption, type ConfigOption, SURROUNDINGS } from './config-option.ts';
import { EXIT } from './exit-codes.ts';
import { type JsonOption, print, printJson } from './output.ts';

/** `outbox-relay config`: what the configuration comes to, without connecting to anything. */
export function addConfig(program: Command, finish: Finish): void {
  const config = program.command('config').description('examine the configuration without connecting to anything');
  config
    .command('print')
    .description('print the configuration with all defaults and all that the environment says, without its secrets')
    .addOption(configOption())
    .option('--json', 'as JSON instead of YAML', false)
    .addHelpText('after', '\nExample:\n  outbox-relay config print --config relay.yaml')
    .action(async (options: ConfigOption & JsonOption) => finish(await printConfig(options)));
  config
    .command('validate')
    .description('tell all problems of the configuration at once')
    .addOption(configOption())
    .option('--json', 'report as JSON', false)
    .addHelpText('after', '\nExample:\n  outbox-relay config validate --config relay.yaml')
    .action(async (options: ConfigOption & JsonOption) => finish(await validate(options)));
  config
    .command('schema')
    .description('print the JSON schema of the configuration file, for editors')
    .addHelpText('after', '\nExample:\n  outbox-relay config schema > outbox-relay.schema.json')
    .action(async () => finish(await printSchema()));
  // for completion scripts, which know nothing of the relay's environment
  config
    .command('destinations', { hidden: true })
    .description('print the names of the destinations that the file has, one a line')
    .addOption(configOption())
    .action(async (options: ConfigOption) => finish(await printDestinations(options)));
}

async function printConfig(options: ConfigOption & JsonOption): Promise<number> {
  const { redactConfig } = await import('../config/index.ts');
  const redacted = redactConfig(await configOf(options));
  if (options.json) {
    printJson(redacted);
    return EXIT.ok;
  }
  const { stringify } = await import('yaml');
  process.stdout.write(stringify(redacted));
  return EXIT.ok;
}

async function validate(options: ConfigOption & JsonOption): Promise<number> {
  const { warnings } = await configOf(options);
  if (options.json) printJson({ ok: true, warnings });
  else print('The configuration is valid.', ...warnings.map((warning) => `Warning: ${warning}`));
  return EXIT.ok;
}

async function printSchema(): Promise<number> {
  const { configJsonSchema } = await import('../config/index.ts');
  printJson(configJsonSchema());
  return EXIT.ok;
}

/** What a shell would not take for a word of its own. */
const PLAIN_NAME = /^[\w.-]+$/;

async function printDestinations({ config }: ConfigOption): Promise<number> {
  if (config === undefined) return EXIT.ok;
  const { parseYaml } = await import('../config/yaml-source.ts');
  const { tree } = parseYaml(SURROUNDINGS.readFile(config), config);
  const { destinations } = (tree ?? {}) as { readonly destinations?: unknown };
  const names = typeof destinations === 'object' && destinations !== null ? Object.keys(destinations) : [];
  print(...names.filter((name) => PLAIN_NAME.test(name)));
  return EXIT.ok;
}
