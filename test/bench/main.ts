/** `npm run bench`: see `npm run bench -- --help`. Exits with 0 when every contestant did all of its work. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { CommanderError } from 'commander';
import { bench } from './bench.ts';
import { type BenchOptions, parseOptions } from './options.ts';
import type { CaseReport } from './report.ts';

const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

async function main(): Promise<number> {
  const options = readOptions();
  if (typeof options === 'number') return options;
  process.on('SIGINT', () => process.exit(EXIT.interrupted));
  process.on('SIGTERM', () => process.exit(EXIT.interrupted));
  try {
    if (options.build) await promisify(execFile)('npm', ['run', '-s', 'build']);
    const reports: CaseReport[] = [];
    for await (const report of bench(options, (line) => console.log(line))) {
      reports.push(report);
      await write(options, reports);
    }
    return EXIT.ok;
  } catch (error) {
    console.error(error);
    return EXIT.failed;
  }
}

/** After each case, so that one that fails does not take the others with it. */
async function write({ json, case: name }: BenchOptions, reports: readonly CaseReport[]): Promise<void> {
  if (json === undefined) return;
  const several = name === 'smoke' || name === 'all';
  await writeFile(json, `${JSON.stringify(several ? { case: name, reports } : reports[0], null, 2)}\n`);
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
