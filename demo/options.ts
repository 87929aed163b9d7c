import { Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../src/config/units.ts';

/** The names of the brokers that the demo can publish to. */
export const BROKER_NAMES = ['console', 'kafka', 'rabbitmq'] as const;
export type BrokerName = (typeof BROKER_NAMES)[number];

/** What the demo is asked for. */
export interface DemoOptions {
  /** How long rows are written, in milliseconds; infinity: until Ctrl-C. */
  readonly for: number;
  /** Rows a second. */
  readonly rate: number;
  readonly broker: BrokerName;
  /** Prints the verdict as JSON, and nothing else, to standard output. */
  readonly json: boolean;
}

const MAX_RATE = 20_000;

/** Reads the command line. @throws CommanderError after help, or with a message on standard error */
export function parseOptions(args: readonly string[]): DemoOptions {
  return new Command('npm run demo --')
    .description(
      'Starts a Postgres of its own, a shop that writes orders and their events, and the relay; shows what arrives, and at the end accounts for every row.',
    )
    .addOption(
      new Option('--for <duration>', 'how long to write, such as 2m, or `ever`: until Ctrl-C')
        .argParser(toMs)
        .default(10_000, '10s'),
    )
    .addOption(new Option('--rate <rows>', 'rows a second').argParser(toRate).default(200))
    .addOption(new Option('--broker <name>', 'where to publish').choices(BROKER_NAMES).default('console'))
    .addOption(new Option('--json', 'print the verdict as JSON').default(false))
    .addHelpText('after', '\nExample:\n  npm run demo -- --for 10s --rate 1000 --broker kafka')
    .exitOverride()
    .parse(args, { from: 'user' })
    .opts<DemoOptions>();
}

function toMs(text: string): number {
  if (text === 'ever') return Infinity;
  const ms = parseDuration(text);
  if (ms === null || ms === 0) throw new InvalidArgumentError('Expected a duration such as 10s or 2m, or `ever`.');
  return ms;
}

function toRate(text: string): number {
  const rate = Number(text);
  if (!(rate > 0 && rate <= MAX_RATE)) throw new InvalidArgumentError(`Expected rows a second, up to ${MAX_RATE}.`);
  return rate;
}
