/**
 * `npm run demo`: the whole of it on one machine, without anything installed beside the project. Exits with 0 when
 * every row that was written has arrived, in the order of its key.
 */
import { CommanderError } from 'commander';
import { runDemo } from './demo.ts';
import { type DemoOptions, parseOptions } from './options.ts';
import { reportLines } from './report.ts';

const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** npm and tsx hand on a Ctrl-C that the terminal has sent to this process as well: that is one and not two. */
const SAME_SIGNAL_MS = 500;

async function play(options: DemoOptions): Promise<number> {
  const stop = new AbortController();
  let stoppedAt = Infinity;
  const onSignal = (): void => {
    // The second time at once: what was started is killed as this process exits.
    if (performance.now() - stoppedAt > SAME_SIGNAL_MS) process.exit(EXIT.interrupted);
    stoppedAt = Math.min(stoppedAt, performance.now());
    stop.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  const result = await runDemo(options, options.json ? process.stderr : process.stdout, stop.signal);
  const text = options.json ? JSON.stringify(result, null, 2) : ['', ...reportLines(result)].join('\n');
  process.stdout.write(`${text}\n`);
  return result.ok ? EXIT.ok : EXIT.failed;
}

async function main(): Promise<number> {
  try {
    return await play(parseOptions(process.argv.slice(2)));
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
    return EXIT.failed;
  }
}

process.exit(await main());
