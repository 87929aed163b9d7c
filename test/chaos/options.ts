import { Command, InvalidArgumentError, Option } from 'commander';
import { POSTGRES_MAJORS, type PostgresMajor } from '../support/services/postgres-binaries.ts';
import { parseDuration } from '../../src/config/units.ts';
import { BROKER_NAMES, type BrokerName } from './brokers/broker.ts';
import { FAULT_NAMES, type FaultName, faultsFor } from './faults/index.ts';
import type { PeerName } from './stage.ts';

/** What a run is asked for. */
export interface ChaosOptions {
  /** With `forMs` the least, else all. */
  readonly rounds: number;
  /** Milliseconds to play for: the round that is played when they are over is the last. */
  readonly forMs?: number;
  readonly fromRound: number;
  readonly seed: number;
  readonly faults: readonly FaultName[];
  readonly broker: BrokerName;
  /** Played in the place of this project's relay. */
  readonly peer?: PeerName;
  /** By default `$PG_VERSION` or 18. */
  readonly pg?: PostgresMajor;
  /** Where the report goes as JSON. */
  readonly json?: string;
  /** Goes on behind the last round of the report in `json`, whose rounds count as played. */
  readonly resume: boolean;
  /** Where the logs of failing rounds are kept. */
  readonly keep: string;
  /** Plays the rest after a failing round. */
  readonly keepGoing: boolean;
}

/** Reads the command line. @throws CommanderError after help, or with a message on standard error */
export function parseOptions(args: readonly string[]): ChaosOptions {
  const command = new Command('npm run chaos --')
    .description(
      'Lets real relays run between a real Postgres and a real broker while faults drawn by the seed happen to all three, then accounts for every event by its id.',
    )
    .addOption(new Option('--rounds <number>', 'rounds to play (default: 10, or 1 with --for)').argParser(toCount))
    .addOption(new Option('--for <duration>', 'play on, beyond --rounds, until so much time is over').argParser(toMs))
    .addOption(new Option('--from-round <number>', 'number of the first').argParser(toCount).default(1))
    .addOption(new Option('--seed <number>', 'what all is drawn from').argParser(toCount).default(1))
    .addOption(new Option('--faults <list>', 'only these (default: all that the broker can have)').argParser(toFaults))
    .addOption(new Option('--broker <name>', 'where to publish').choices(BROKER_NAMES).default('kafka'))
    .addOption(new Option('--peer <name>', 'another relay to play in the place of this one').choices(['debezium']))
    .addOption(new Option('--pg <major>', 'version of Postgres').choices(POSTGRES_MAJORS))
    .addOption(new Option('--json <file>', 'write the report there as JSON, after every round'))
    .addOption(new Option('--resume', 'go on behind the last round in the report of --json').default(false))
    .addOption(new Option('--keep <folder>', 'where the logs of failing rounds go').default('.cache/chaos'))
    .addOption(new Option('--keep-going', 'play on after a failing round').default(false))
    .addHelpText(
      'after',
      `\nFaults:\n  ${FAULT_NAMES.join('\n  ')}\n\nExample:\n  npm run chaos -- --rounds 20 --seed 7 --broker rabbitmq --faults broker-kill,relay-kill`,
    )
    .exitOverride()
    .parse(args, { from: 'user' });
  return complete(command, command.opts<GivenOptions>());
}

type GivenOptions = Omit<ChaosOptions, 'rounds' | 'forMs' | 'faults'> &
  Partial<Pick<ChaosOptions, 'rounds' | 'faults'>> & { readonly for?: number };

function complete(command: Command, { for: forMs, ...given }: GivenOptions): ChaosOptions {
  const { broker, peer } = given;
  const possible = faultsFor(broker, peer !== undefined);
  const { faults = possible, rounds = forMs === undefined ? 10 : 1 } = given;
  const foreign = faults.filter((name) => !possible.includes(name));
  if (foreign.length > 0) command.error(`error: not with ${peer ?? broker}: ${foreign.join(', ')}`);
  if (given.resume && given.json === undefined) command.error('error: --resume needs --json');
  return { ...given, faults, rounds, ...(forMs === undefined ? {} : { forMs }) };
}

function toCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('Expected a whole number above 0.');
  return count;
}

function toMs(text: string): number {
  const ms = parseDuration(text);
  if (ms === null) throw new InvalidArgumentError('Expected a duration such as 90s or 4m.');
  return ms;
}

/** Names separated by commas. */
function toFaults(text: string): FaultName[] {
  return text.split(',').map((name) => {
    const known = FAULT_NAMES.find((fault) => fault === name);
    if (known === undefined) throw new InvalidArgumentError(`There is no fault ${name}.`);
    return known;
  });
}
