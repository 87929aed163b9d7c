import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Moment, VerifyOptions } from '../app/verify.ts';
import type { DestinationReport, VerifyReport } from '../verify/report.ts';
import { type Finish, usageError } from './command.ts';
import { configOf, configOption, type ConfigOption } from './config-option.ts';
import { EXIT } from './exit-codes.ts';
import { createStyle, indent, type JsonOption, print, printJson, type Style } from './output.ts';
import { withProgress } from './progress.ts';
import { parseDuration } from '../config/units.ts';

interface Options extends ConfigOption, JsonOption {
  readonly destination?: string;
  readonly since: Moment;
  readonly until: Moment;
  readonly margin: number;
  readonly topic: readonly string[];
  readonly queue?: string;
  readonly routingKey: readonly string[];
  readonly for: number;
  readonly limit: number;
  readonly strict: boolean;
}

const HOUR_MS = 3_600_000;
const MARGIN_MS = 300_000;
const WATCH_MS = 60_000;
const EXAMPLES_SHOWN = 20;

const EXAMPLES = `
Kafka: the topics are read for the window. RabbitMQ: what is published from now on is watched through a queue of its own
(--for), or a queue of type stream is read for the window (--queue). Nothing is changed, taken or committed.
What is missing can be told only with a record of published ids: published.retain.

Exits with ${EXIT.failed} when ids are missing or out of order, with --strict also for duplicated and unexpected ids.

Examples:
  outbox-relay verify --config relay.yaml --since 2h
  outbox-relay verify --config relay.yaml --since 2026-03-01T08:00Z --until 2026-03-01T09:00Z --topic outbox.event.order
  outbox-relay verify --config relay.yaml --destination rabbit --for 5m --json | jq '.destinations[].missing.count'`;

/** `outbox-relay verify`: what was published against what the brokers hold. */
export function addVerify(program: Command, finish: Finish): void {
  program
    .command('verify')
    .description('compare what was published with what the brokers hold: missing, duplicated, out-of-order ids')
    .addOption(configOption())
    .option('--destination <name>', 'only this destination (default: all that have a broker)')
    .addOption(
      when('--since <when>', 'begin of the window: 1h is an hour ago, or a time such as 2026-03-01T08:00Z', HOUR_MS),
    )
    .addOption(when('--until <when>', 'end of the window', 0))
    .addOption(
      duration('--margin <duration>', 'how long before its deletion a row may have been published', MARGIN_MS, '5m'),
    )
    .option('--topic <name...>', 'Kafka: these topics (default: those of the routes)', [])
    .option('--queue <name>', 'RabbitMQ: read this queue, of type stream')
    .option('--routing-key <pattern...>', 'RabbitMQ: with --queue, how it is bound (default: it gets everything)', [])
    .addOption(duration('--for <duration>', 'RabbitMQ: how long to watch, without --queue', WATCH_MS, '1m'))
    .addOption(
      new Option('--limit <n>', 'how many ids of each kind are shown').argParser(toLimit).default(EXAMPLES_SHOWN),
    )
    .option('--strict', 'duplicated and unexpected ids are faults, too', false)
    .option('--json', 'report as JSON', false)
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options, command: Command) => finish(await verify(options, command)));
}

async function verify(options: Options, command: Command): Promise<number> {
  if (options.routingKey.length > 0 && options.queue === undefined)
    usageError(command, '--routing-key tells how the queue of --queue is bound');
  const config = await configOf(options);
  const { verifyAll } = await import('../app/verify.ts');
  const report = await withProgress((tell) =>
    verifyAll(config, requestOf(options), tell, new AbortController().signal),
  );
  if (options.json) printJson(report);
  else print(...lines(report, createStyle(process.stdout)));
  return report.ok ? EXIT.ok : EXIT.failed;
}

function requestOf(options: Options): VerifyOptions {
  const { destination, since, until, topic, queue, routingKey, limit, strict } = options;
  return {
    destination: destination ?? null,
    since,
    until,
    marginMs: options.margin,
    topics: topic,
    queue: queue ?? null,
    routingKeys: routingKey,
    forMs: options.for,
    examples: limit,
    strict,
  };
}

function lines(report: VerifyReport, style: Style): readonly string[] {
  const waiting = `${report.waitingRowsEstimated ? 'about ' : ''}${report.waitingRows} rows wait in the outbox`;
  return [
    ...report.destinations.flatMap((one) => [...destinationLines(one, style), '']),
    `${report.ok ? style.good('nothing wrong was found') : style.bad('ids are missing or out of order')}; ${waiting}`,
  ];
}

function destinationLines(report: DestinationReport, style: Style): readonly string[] {
  const { destination, read, window, messages, ids, foreign, recorded, parkedRows, notJudged } = report;
  const { missing, duplicated, outOfOrder, unexpected } = report;
  const fault = (count: number, text: string): string => (count > 0 ? style.bad(text) : text);
  return [
    style.strong(`${destination}: ${read.join(', ')}`),
    `  window        ${window.since} to ${window.until}`,
    `  messages      ${messages} with ${ids} ids${foreign > 0 ? `; ${foreign} without an id` : ''}`,
    `  published     ${recorded === null ? 'not recorded' : `${recorded} ids, by the record`}`,
    fault(missing?.count ?? 0, `  missing       ${missing?.count ?? 'not known'}`),
    ...(missing?.examples ?? []).map(
      ({ id, position, key, address, publishedAt }) =>
        `    ${id}  position ${position}, key ${key ?? '-'}, ${address}, ${publishedAt}`,
    ),
    fault(outOfOrder.count, `  out of order  ${outOfOrder.count}`),
    ...outOfOrder.examples.map(({ id, position, behind }) => `    ${id}  position ${position}, behind ${behind}`),
    `  duplicated    ${duplicated.count} ids, ${duplicated.copies} copies`,
    ...duplicated.examples.map(({ id, copies, where }) => `    ${id}  ${copies} more, ${where}`),
    `  unexpected    ${unexpected?.count ?? 'not known'}`,
    ...(unexpected?.examples ?? []).map((id) => `    ${id}`),
    `  parked        ${parkedRows} rows`,
    ...notJudged.map((note) => style.faint(indent(note, 2))),
    ...(report.notRetained > 0
      ? [style.faint(`  ${report.notRetained} absent ids may have expired at the broker.`)]
      : []),
  ];
}

function when(flags: string, description: string, agoMs: number): Option {
  return new Option(flags, description).argParser(toMoment).default({ agoMs }, agoMs === 0 ? 'now' : '1h');
}

function duration(flags: string, description: string, ms: number, text: string): Option {
  return new Option(flags, description).argParser(toDuration).default(ms, text);
}

function toMoment(text: string): Moment {
  const agoMs = parseDuration(text);
  if (agoMs !== null) return { agoMs };
  const at = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at))
    throw new InvalidArgumentError('Expected a time such as 2026-03-01T08:00Z, or how long ago: 90m.');
  return { at };
}

function toDuration(text: string): number {
  const ms = parseDuration(text);
  if (ms === null || ms > 24 * HOUR_MS) throw new InvalidArgumentError('Expected a duration such as 500ms, 30s or 5m.');
  return ms;
}

function toLimit(text: string): number {
  if (!/^(0|[1-9][0-9]{0,5})$/.test(text)) throw new InvalidArgumentError('Expected a number from 0 to 999999.');
  return Number(text);
}
