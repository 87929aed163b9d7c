import { Command, InvalidArgumentError, Option } from 'commander';
import { BROKER_NAMES, type BrokerName } from './brokers/broker.ts';
import { CASE_NAMES, type CaseName } from './cases/names.ts';

/** What a benchmark is asked for. */
export interface BenchOptions {
  readonly case: CaseName | 'smoke';
  /** Where the report goes as JSON. */
  readonly json?: string;
  /** Rows of a run; by default what the case is made for. */
  readonly rows?: number;
  /** How often each contestant does the work; they take turns. */
  readonly rounds: number;
  readonly broker: BrokerName;
  /** `stream`: rows a transaction, one series each. */
  readonly transaction: readonly number[];
  /** `latency`: rows a second, one series each. */
  readonly rate: readonly number[];
  /** `stream`: connections that write. */
  readonly writers: number;
  /** Whether writers wait for their commits to be flushed. */
  readonly synchronousCommit: 'on' | 'off';
  /** `stream`: contestants stand still (SIGSTOP) while the rows are written, so that writing takes nothing from them. */
  readonly held: boolean;
  /** Only the relay, without those it is compared with. */
  readonly alone: boolean;
  /** Arguments for the relay's node, such as `--max-semi-space-size=8`. */
  readonly nodeArguments: readonly string[];
  /** Whether the relay is built before; else `dist/` is taken as it is. */
  readonly build: boolean;
}

/** Reads the command line. @throws CommanderError after help, or with a message on standard error */
export function parseOptions(args: readonly string[]): BenchOptions {
  const program = new Command('npm run bench --')
    .description(
      'Measures the relay on real services that are started for it, beside others doing the same work in the same run, and checks by id that all of the work was done. smoke: all cases, small.',
    )
    .argument('<case>', [...CASE_NAMES, 'smoke'].join(', '))
    .addOption(new Option('--json <file>', 'write the report there as JSON'))
    .addOption(new Option('--rows <number>', "rows of a run (default: the case's own)").argParser(toCount))
    .addOption(new Option('--rounds <number>', 'runs of each contestant').argParser(toCount).default(3))
    .addOption(new Option('--broker <name>', 'where to publish').choices(BROKER_NAMES).default('kafka'))
    .addOption(new Option('--transaction <rows>', 'stream: rows a transaction').argParser(toCounts).default([1]))
    .addOption(new Option('--rate <rows>', 'latency: rows a second').argParser(toCounts).default([1000, 4000]))
    .addOption(new Option('--writers <number>', 'stream: writing connections').argParser(toCount).default(4))
    .addOption(new Option('--synchronous-commit <mode>', 'of the writers').choices(['on', 'off']).default('on'))
    .addOption(new Option('--held', 'stream: contestants stand still while rows are written').default(false))
    .addOption(new Option('--alone', 'the relay only').default(false))
    .addOption(new Option('--node-arguments <list>', "for the relay's node").argParser(toWords).default([]))
    .addOption(new Option('--no-build', 'take dist/ as it is'))
    .addHelpText(
      'after',
      '\nOUTBOX_RELAY_* variables reach the relay, such as OUTBOX_RELAY_LIMITS_MEMORY=8MiB.' +
        '\n\nExample:\n  npm run bench -- drain --rows 300000 --rounds 5 --json drain.json',
    )
    .exitOverride()
    .parse(args, { from: 'user' });
  const [name = ''] = program.args;
  if (!isCase(name))
    return program.error(`error: there is no case ${name}; there are ${[...CASE_NAMES, 'smoke'].join(', ')}`);
  return { ...program.opts<Omit<BenchOptions, 'case'>>(), case: name };
}

function isCase(name: string): name is CaseName | 'smoke' {
  return name === 'smoke' || CASE_NAMES.some((known) => known === name);
}

function toCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('Expected a whole number above 0.');
  return count;
}

/** Numbers separated by commas. */
function toCounts(text: string): number[] {
  return text.split(',').map(toCount);
}

function toWords(text: string): string[] {
  return text.split(' ').filter((word) => word !== '');
}
