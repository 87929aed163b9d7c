import { type Command, InvalidArgumentError, Option } from 'commander';
import type { TapSample } from '../observe/tap.ts';
import { addAdminOptions, adminClient, type AdminOptions } from './admin-client.ts';
import type { Finish } from './command.ts';
import { configOption } from './config-option.ts';
import { EXIT } from './exit-codes.ts';
import { bytesText, secondsText } from './figures.ts';
import { createStyle, type JsonOption, print, printable, type Style } from './output.ts';

interface Options extends AdminOptions, JsonOption {
  readonly destination?: string;
  readonly type?: string;
  readonly key?: string;
  readonly limit?: number;
  readonly rate: number;
  readonly payload: boolean;
}

const EXAMPLES = `
A sample, and not all: what comes faster than --rate is left out and counted. Until Ctrl-C, --limit, or for an hour.
Needs the token, or a relay on a loopback address, and admin.tap: metadata (the default); --payload needs admin.tap: payload.

Examples:
  outbox-relay tap --config relay.yaml
  outbox-relay tap --config relay.yaml --destination kafka --type order.created --limit 20
  outbox-relay tap --config relay.yaml --key order-17 --payload --json`;

/** `outbox-relay tap`: samples of what a running relay publishes. */
export function addTap(program: Command, finish: Finish): void {
  const command = program
    .command('tap')
    .description('show samples of what a running relay publishes')
    .addOption(configOption());
  addAdminOptions(command)
    .option('--destination <name>', 'messages of this destination')
    .option('--type <type>', 'messages of this type')
    .option('--key <key>', 'messages with this key')
    .addOption(new Option('--limit <n>', 'end after so many').argParser(toNumber(100_000)))
    .addOption(new Option('--rate <n>', 'samples a second at most').argParser(toNumber(100)).default(10))
    .option('--payload', 'what the messages hold too', false)
    .option('--json', 'a JSON object a line', false)
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => finish(await tap(options)));
}

async function tap(options: Options): Promise<number> {
  const relay = await adminClient(options);
  const style = createStyle(process.stdout);
  let shown = 0;
  for await (const line of relay.lines(`/tap?${queryOf(options).toString()}`)) {
    shown++;
    if (options.json) print(line);
    else print(...sampleLines(JSON.parse(line) as TapSample, style));
  }
  // the relay has ended before
  return options.limit !== undefined && shown < options.limit ? EXIT.failed : EXIT.ok;
}

function queryOf({ destination, type, key, limit, rate, payload }: Options): URLSearchParams {
  const query = new URLSearchParams();
  const given = { destination, type, key, limit, rate, payload: payload || undefined };
  for (const [name, value] of Object.entries(given)) if (value !== undefined) query.set(name, String(value));
  return query;
}

/** A sample as a person reads it. What a row holds is printed so that a terminal takes none of it for a command. */
function sampleLines(sample: TapSample, style: Style): readonly string[] {
  const { at, destination, address, key, type, id, bytes, delaySeconds, skipped, payload, payloadEncoding } = sample;
  const facts = [
    at.slice(11, 23),
    style.strong(printable(destination)),
    printable(address),
    `key=${key === null ? '-' : printable(key)}`,
    `type=${type === null ? '-' : printable(type)}`,
    bytes === null ? 'tombstone' : bytesText(bytes),
    delaySeconds === null ? 'delay unknown' : secondsText(delaySeconds),
    `id=${printable(id)}`,
  ];
  return [
    ...(skipped > 0 ? [style.faint(`... ${skipped} left out`)] : []),
    facts.join('  '),
    ...(typeof payload === 'string'
      ? [`    ${printable(payload)}${payloadEncoding === 'base64' ? ' (base64)' : ''}`]
      : []),
  ];
}

function toNumber(most: number): (text: string) => number {
  return (text) => {
    const value = /^[0-9]{1,6}$/.test(text) ? Number(text) : 0;
    if (value < 1 || value > most) throw new InvalidArgumentError(`Expected a number from 1 to ${most}.`);
    return value;
  };
}
