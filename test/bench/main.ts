/** `npm run bench`: see `npm run bench -- --help`. Exits with 0 when every contestant did all of its work. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { CommanderError } from 'commander';
import { bench } from './bench.ts';
import { type BenchOptions, parseOptions } from './options.ts';

const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

async function main(): Promise<number> {
  const options = readOptions();
  if (typeof options === 'number') return options;
  process.on('SIGINT', () => process.exit(EXIT.interrupted));
  process.on('SIGTERM', () => process.exit(EXIT.interrupted));
  try {
    if (options.build) await promisify(execFile)('npm', ['run', '-s', 'build']);
    const reports = await bench(options, (line) => console.log(line));
    const several = options.case === 'smoke' || options.case === 'all';
    const report = several ? { case: options.case, reports } : reports[0];
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
    return EXIT.ok;
  } catch (error) {
    console.error(error);
    return EXIT.failed;
  }
}

function readOptions(): BenchOptions | number {
  try {
    return parseOptions(process.argv.slice(2));
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    throw error;
  }
}

process.exitCode = await main();
