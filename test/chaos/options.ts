import { Command, InvalidArgumentError, Option } from 'commander';
import { POSTGRES_MAJORS, type PostgresMajor } from '../support/services/postgres-binaries.ts';
import { BROKER_NAMES, type BrokerName } from './brokers/broker.ts';
import { FAULT_NAMES, type FaultName } from './faults/index.ts';

/** What a run is asked for. */
export interface ChaosOptions {
  readonly rounds: number;
  readonly fromRound: number;
  readonly seed: number;
  readonly faults: readonly FaultName[];
  readonly broker: BrokerName;
  /** By default `$PG_VERSION` or 18. */
  readonly pg?: PostgresMajor;
  /** Where the report goes as JSON. */
  readonly json?: string;
  /** Where the logs of failing rounds are kept. */
  readonly keep: string;
  /** Plays the rest after a failing round. */
  readonly keepGoing: boolean;
}

/** Reads the command line. @throws CommanderError after help, or with a message on standard error */
export function parseOptions(args: readonly string[]): ChaosOptions {
  return new Command('npm run chaos --')
    .description(
      'Lets real relays run between a real Postgres and a real broker while faults drawn by the seed happen to all three, then accounts for every event by its id.',
    )
    .addOption(new Option('--rounds <number>', 'rounds to play').argParser(toCount).default(10))
    .addOption(new Option('--from-round <number>', 'number of the first').argParser(toCount).default(1))
    .addOption(new Option('--seed <number>', 'what all is drawn from').argParser(toCount).default(1))
    .addOption(new Option('--faults <list>', 'only these').argParser(toFaults).default(FAULT_NAMES, 'all'))
    .addOption(new Option('--broker <name>', 'where to publish').choices(BROKER_NAMES).default('kafka'))
    .addOption(new Option('--pg <major>', 'version of Postgres').choices(POSTGRES_MAJORS))
    .addOption(new Option('--json <file>', 'write the report there as JSON, after every round'))
    .addOption(new Option('--keep <folder>', 'where the logs of failing rounds go').default('.cache/chaos'))
    .addOption(new Option('--keep-going', 'play on after a failing round').default(false))
    .addHelpText(
      'after',
      `\nFaults:\n  ${FAULT_NAMES.join('\n  ')}\n\nExample:\n  npm run chaos -- --rounds 20 --seed 7 --broker rabbitmq --faults broker-kill,relay-kill`,
    )
    .exitOverride()
    .parse(args, { from: 'user' })
    .opts<ChaosOptions>();
}

function toCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('Expected a whole number above 0.');
  return count;
}

/** Names separated by commas. */
function toFaults(text: string): FaultName[] {
  return text.split(',').map((name) => {
    const known = FAULT_NAMES.find((fault) => fault === name);
    if (known === undefined) throw new InvalidArgumentError(`There is no fault ${name}.`);
    return known;
  });
}
