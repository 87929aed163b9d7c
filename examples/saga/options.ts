import { Command, InvalidArgumentError, Option } from 'commander';
import type { Style } from './services/runtime/config.ts';

export const STYLES = ['choreography', 'orchestration'] as const satisfies readonly Style[];

/** What goes wrong: nothing; the payment provider; besides, processes are killed, and messages come twice. */
export type Faults = 'none' | 'provider' | 'all';

export interface SagaOptions {
  readonly orders: number;
  /** Orders a second. */
  readonly rate: number;
  readonly faults: Faults;
  /** Of orders, faults and kills. */
  readonly seed: number;
  /** After so long an order that is not paid is cancelled. */
  readonly orderTimeoutMs: number;
}

export interface CommandOptions extends SagaOptions {
  readonly styles: readonly Style[];
  /** Prints the results as JSON, and nothing else, to standard output. */
  readonly json: boolean;
}

/** Reads the command line. @throws CommanderError after help, or with a message on standard error */
export function parseOptions(args: readonly string[]): CommandOptions {
  const options = new Command('npm run example:saga --')
    .description(
      'Starts a Postgres, a RabbitMQ, three services, a relay for each and a payment provider; places orders, and at the end accounts for each of them.',
    )
    .addOption(
      new Option('--style <name>', 'how the services work together').choices([...STYLES, 'both']).default('both'),
    )
    .addOption(new Option('--orders <number>', 'how many').argParser(wholeNumber).default(100))
    .addOption(new Option('--rate <orders>', 'orders a second').argParser(wholeNumber).default(15))
    .addOption(
      new Option(
        '--faults <which>',
        'provider: it is slow and fails; all: services are killed after each kind of commit, relays and broker at some moment, and messages come twice, besides',
      )
        .choices(['none', 'provider', 'all'])
        .default('provider'),
    )
    .addOption(new Option('--seed <number>', 'of orders, faults and kills').argParser(wholeNumber).default(1))
    .addOption(
      new Option('--order-timeout-ms <ms>', 'after so long an unpaid order is cancelled')
        .argParser(wholeNumber)
        .default(8000),
    )
    .addOption(new Option('--json', 'print the results as JSON').default(false))
    .exitOverride()
    .parse(args, { from: 'user' })
    .opts<Omit<CommandOptions, 'styles'> & { readonly style: Style | 'both' }>();
  return { ...options, styles: options.style === 'both' ? STYLES : [options.style] };
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) throw new InvalidArgumentError('Expected a whole number from 1 on.');
  return number;
}
