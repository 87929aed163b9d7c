/** `npm run chaos`: see `npm run chaos -- --help`. Exits with 0 when nothing was lost, invented or out of order. */
import { CommanderError } from 'commander';
import { runChaos } from './chaos.ts';
import { type ChaosOptions, parseOptions } from './options.ts';

const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

async function main(): Promise<number> {
  const options = readOptions();
  if (typeof options === 'number') return options;
  process.on('SIGINT', () => process.exit(EXIT.interrupted));
  process.on('SIGTERM', () => process.exit(EXIT.interrupted));
  try {
    return (await runChaos(options, (line) => console.log(line))) ? EXIT.ok : EXIT.failed;
  } catch (error) {
    console.error(error);
    return EXIT.failed;
  }
}

function readOptions(): ChaosOptions | number {
  try {
    return parseOptions(process.argv.slice(2));
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    throw error;
  }
}

// what a broken connection has left open must not hold up the end
process.exit(await main());
