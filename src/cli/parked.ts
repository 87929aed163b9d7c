import { type Command, InvalidArgumentError, Option } from 'commander';
import { ERROR_CATALOGUE } from '../core/error-catalogue.ts';
import type { ParkedSelection } from '../core/parked.ts';
import { didYouMean } from '../core/suggest.ts';
import { type Finish, usageError } from './command.ts';
import { configOf, configOption, type ConfigOption } from './config-option.ts';
import { confirm } from './confirm.ts';
import { EXIT } from './exit-codes.ts';
import { createStyle, indent, type JsonOption, print, printJson, table } from './output.ts';
import { withProgress } from './progress.ts';

interface SelectionOptions extends ConfigOption, JsonOption, ParkedSelection {}

interface ListOptions extends SelectionOptions {
  readonly limit: number;
}

interface ChangeOptions extends SelectionOptions {
  readonly all: boolean;
  readonly yes: boolean;
}

/** `outbox-relay parked`: rows that were set aside, with the keys that wait behind them. */
export function addParked(program: Command, finish: Finish): void {
  const parked = program
    .command('parked')
    .description('rows that a broker refused and that were set aside: look at them, publish them again, or drop them');
  selecting(parked.command('list').description('list parked rows, in the order of the outbox'), 100)
    .addHelpText('after', example('list --config relay.yaml --code message_too_large'))
    .action(async (options: ListOptions) => finish(await list(options)));
  selecting(parked.command('show').description('show parked rows with all that they hold'), 10)
    .addHelpText('after', example('show --config relay.yaml --id 5f1c1a4e-8f5d-4b52-9d6e-0e5f7a3f2b11'))
    .action(async (options: ListOptions) => finish(await show(options)));
  changing(parked.command('retry').description('publish parked rows, and the rows that wait behind them, again'))
    .addHelpText('after', example('retry --config relay.yaml --key order-17'))
    .action(async (options: ChangeOptions, command: Command) => finish(await change('retry', options, command)));
  changing(parked.command('discard').description('delete parked rows for good: they are never published'))
    .addHelpText('after', example('discard --config relay.yaml --id 5f1c1a4e-8f5d-4b52-9d6e-0e5f7a3f2b11'))
    .action(async (options: ChangeOptions, command: Command) => finish(await change('discard', options, command)));
}

function example(line: string): string {
  return `\nExample:\n  outbox-relay parked ${line}`;
}

function choosing(command: Command): Command {
  return command
    .addOption(configOption())
    .option('--id <id>', 'the row with this id')
    .addOption(new Option('--position <n>', 'the row at this position').argParser(toPosition))
    .option('--key <key>', 'rows with this message key')
    .addOption(new Option('--code <code>', 'rows parked for this error code (docs/errors.md)').argParser(toErrorCode))
    .option('--reason <text>', 'rows with this text in their reason')
    .option('--destination <name>', 'rows of this destination')
    .option('--json', 'report as JSON', false);
}

function selecting(command: Command, limit: number): Command {
  return choosing(command).addOption(
    new Option('--limit <n>', 'how many rows at most').argParser(toLimit).default(limit),
  );
}

function changing(command: Command): Command {
  return choosing(command).option('--all', 'all parked rows', false).option('-y, --yes', 'do not ask', false);
}

async function list(options: ListOptions): Promise<number> {
  const { listParked, withParkedRows } = await load();
  const rows = await withParkedRows(await configOf(options), (session, outbox) =>
    listParked(session, outbox, selectionOf(options), options.limit),
  );
  if (options.json) printJson(rows);
  else if (rows.length === 0) print('No rows are parked.');
  else {
    const cells = rows.map(({ position, id, destination, key, code, attempts, parkedAt, reason }) => [
      String(position),
      id,
      destination,
      key ?? '-',
      code,
      String(attempts),
      parkedAt.toISOString(),
      reason,
    ]);
    print(...table(['position', 'id', 'destination', 'key', 'code', 'attempts', 'parked at', 'reason'], cells));
  }
  return EXIT.ok;
}

async function show(options: ListOptions): Promise<number> {
  const { listParked, showParked, withParkedRows } = await load();
  const rows = await withParkedRows(await configOf(options), async (session, outbox) => {
    const marks = await listParked(session, outbox, selectionOf(options), options.limit);
    const details = await Promise.all(marks.map((mark) => showParked(session, outbox, mark)));
    return details.filter((row) => row !== null);
  });
  if (options.json) {
    printJson(rows);
    return EXIT.ok;
  }
  const style = createStyle(process.stdout);
  for (const { position, id, columns, ...mark } of rows) {
    const fields = { ...mark, parkedAt: mark.parkedAt.toISOString(), ...(columns ?? {}) };
    const width = Math.max(...Object.keys(fields).map((name) => name.length));
    const lines = Object.entries(fields).map(([name, value]) => `  ${name.padEnd(width)}  ${String(value)}`);
    print(style.strong(`position ${position}, id ${id}`), ...lines);
    if (columns === null) print(indent('the row itself is gone from the outbox', 2));
  }
  if (rows.length === 0) print('No such row is parked.');
  return EXIT.ok;
}

async function change(what: 'retry' | 'discard', options: ChangeOptions, command: Command): Promise<number> {
  const selection = selectionOf(options);
  const chosen = Object.keys(selection).length > 0;
  if (chosen === options.all)
    usageError(command, 'name the rows (--id, --position, --key, --code, --reason, --destination), or else --all');
  if (!options.yes && asksFirst(what, selection)) {
    const agreed = await confirm(
      `${what === 'retry' ? 'Publish' : 'Delete for good'} ${options.all ? 'all parked rows' : 'all rows chosen'}?`,
    );
    if (agreed === null) usageError(command, 'this needs --yes where nobody can be asked');
    if (!agreed) return EXIT.failed;
  }
  const config = await configOf(options);
  const { changeParked } = await load();
  const count = await withProgress((report) => changeParked(config, what, selection, report));
  if (options.json) printJson({ [what === 'retry' ? 'retried' : 'discarded']: count });
  else if (what === 'retry')
    print(`${count} rows are no longer parked; a running relay publishes them in a few seconds.`);
  else print(`${count} rows are discarded.`);
  return EXIT.ok;
}

/** Retrying can be repeated; what is discarded is gone, so that more than a row named by itself is asked for. */
function asksFirst(what: 'retry' | 'discard', { id, position, ...others }: ParkedSelection): boolean {
  if (id !== undefined || position !== undefined) return false;
  return what === 'discard' || Object.keys(others).length === 0;
}

function selectionOf({ id, position, key, code, reason, destination }: ParkedSelection): ParkedSelection {
  return {
    ...(id === undefined ? {} : { id }),
    ...(position === undefined ? {} : { position }),
    ...(key === undefined ? {} : { key }),
    ...(code === undefined ? {} : { code }),
    ...(reason === undefined ? {} : { reason }),
    ...(destination === undefined ? {} : { destination }),
  };
}

async function load() {
  return { ...(await import('../postgres/parked-rows.ts')), ...(await import('../app/parked.ts')) };
}

function toPosition(text: string): bigint {
  if (!/^-?[0-9]{1,19}$/.test(text)) throw new InvalidArgumentError('Expected a whole number.');
  return BigInt(text);
}

function toErrorCode(text: string): string {
  if (Object.hasOwn(ERROR_CATALOGUE, text)) return text;
  const near = didYouMean(text, Object.keys(ERROR_CATALOGUE));
  throw new InvalidArgumentError(`There is no such error code${near === null ? '' : `; did you mean ${near}?`}`);
}

function toLimit(text: string): number {
  if (!/^[1-9][0-9]{0,5}$/.test(text)) throw new InvalidArgumentError('Expected a number from 1 to 999999.');
  return Number(text);
}
