import { Command, InvalidArgumentError, Option } from 'commander';
import { BROKER_NAMES, type BrokerName } from './brokers/broker.ts';
import { CASE_NAMES } from './cases/names.ts';
import { PEER_NAMES, type PeerName } from './contestants/names.ts';

/** What can be asked for beside single cases. */
const SUITES = ['all', 'smoke'] as const;
const CHOICES = [...CASE_NAMES, ...SUITES];

/** What a benchmark is asked for. */
export interface BenchOptions {
  readonly case: (typeof CHOICES)[number];
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
  /** `idle`: how long it is watched. */
  readonly seconds: number;
  /** `stream`: connections that write. */
  readonly writers: number;
  /** Whether writers wait for their commits to be flushed. */
  readonly synchronousCommit: 'on' | 'off';
  /** `stream`: contestants stand still (SIGSTOP) while the rows are written, so that writing takes nothing from them. */
  readonly held: boolean;
  /** Only the relay, without those it is compared with. */
  readonly alone: boolean;
  /** Those that take part where they apply. */
  readonly peers: readonly PeerName[];
  /** Tables are printed in Markdown. */
  readonly markdown: boolean;
  /** Arguments for the relay's node, such as `--max-semi-space-size=8`. */
  readonly nodeArguments: readonly string[];
  /** Whether the relay is built before; else `dist/` is taken as it is. */
  readonly build: boolean;
}

/** Reads the command line. @throws CommanderError after help, or with a message on standard error */
export function parseOptions(args: readonly string[]): BenchOptions {
  const program = new Command('npm run bench --')
    .description(
      'Measures the relay on real services that are started for it, beside others doing the same work in the same run, and checks by id that all of the work was done. all: every case, one after the other. smoke: what shows in a minute that all parts work.',
    )
    .argument('<case>', CHOICES.join(', '))
    .addOption(new Option('--json <file>', 'write the report there as JSON'))
    .addOption(new Option('--rows <number>', "rows of a run (default: the case's own)").argParser(toCount))
    .addOption(new Option('--rounds <number>', 'runs of each contestant').argParser(toCount).default(3))
    .addOption(new Option('--broker <name>', 'where to publish').choices(BROKER_NAMES).default('kafka'))
    .addOption(new Option('--transaction <rows>', 'stream: rows a transaction').argParser(toCounts).default([1, 100]))
    .addOption(new Option('--rate <rows>', 'latency: rows a second').argParser(toCounts).default([1000, 4000]))
    .addOption(new Option('--seconds <number>', 'idle: how long it is watched').argParser(toCount).default(60))
    .addOption(new Option('--writers <number>', 'stream: writing connections').argParser(toCount).default(4))
    .addOption(new Option('--synchronous-commit <mode>', 'of the writers').choices(['on', 'off']).default('on'))
    .addOption(new Option('--held', 'stream: contestants stand still while rows are written').default(false))
    .addOption(
      new Option('--peers <names>', PEER_NAMES.join(', ')).argParser(toPeers).default(PEER_NAMES, 'all that apply'),
    )
    .addOption(new Option('--alone', 'the relay only').default(false))
    .addOption(new Option('--markdown', 'tables in Markdown').default(false))
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
  const asked = CHOICES.find((known) => known === name);
  if (asked === undefined) return program.error(`error: there is no case ${name}; there are ${CHOICES.join(', ')}`);
  return { ...program.opts<Omit<BenchOptions, 'case'>>(), case: asked };
}

function toPeers(text: string): PeerName[] {
  return text.split(',').map((name) => {
    const peer = PEER_NAMES.find((known) => known === name);
    if (peer === undefined) throw new InvalidArgumentError(`There are ${PEER_NAMES.join(', ')}.`);
    return peer;
  });
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
