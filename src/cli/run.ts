import type { Command } from 'commander';
import type { Finish } from './command.ts';
import { configOf, configOption, type ConfigOption } from './config-option.ts';
import { EXIT } from './exit-codes.ts';
import { limitHeap } from './heap.ts';
import { packageVersion } from './version.ts';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
/** After a drain whose deadline has passed, or a second signal. */
const LAST_RESORT_MS = 5_000;

/** `outbox-relay run`: the daemon, until SIGTERM or SIGINT. */
export function addRun(program: Command, finish: Finish): void {
  program
    .command('run')
    .description('publish the rows of the outbox table, until SIGTERM or SIGINT')
    .addOption(configOption())
    .addHelpText('after', '\nExample:\n  outbox-relay run --config /etc/outbox-relay/config.yaml')
    .action(async (options: ConfigOption) => finish(await run(options)));
}

async function run(options: ConfigOption): Promise<number> {
  // before all else: process 1 of a container ignores a signal that nobody listens for
  const signals = listenForSignals();
  try {
    return await relay(options, signals);
  } finally {
    signals.ignore();
  }
}

async function relay(options: ConfigOption, signals: Signals): Promise<number> {
  limitHeap();
  const config = await configOf(options);
  const { App } = await import('../app.ts');
  const { createLogger } = await import('../observe/logger.ts');
  // a console destination has standard output for its messages
  const toConsole = Object.values(config.destinations).some(({ type }) => type === 'console');
  const log = createLogger({ ...config.log, stream: toConsole ? process.stderr : process.stdout });
  const app = new App({ config, log, version: packageVersion() });
  const interrupted = new Promise<number>((resolve) => {
    whenAborted(signals.stop, () => {
      const [signal] = signals.received;
      log.info({ signal, drainMs: config.shutdown.drain }, 'stopping: publishing what is in flight');
      setTimeout(() => resolve(EXIT.failed), config.shutdown.drain + LAST_RESORT_MS).unref();
    });
    whenAborted(signals.kill, () => {
      log.warn({ signal: signals.received[1] }, 'a second signal: ending at once');
      resolve(EXIT.interrupted);
    });
  });
  return Promise.race([app.run(signals.stop, signals.kill).then(() => EXIT.ok), interrupted]);
}

interface Signals {
  /** Aborted by the first SIGTERM or SIGINT. */
  readonly stop: AbortSignal;
  /** Aborted by the second. */
  readonly kill: AbortSignal;
  readonly received: readonly NodeJS.Signals[];
  /** Listens no longer. */
  ignore(): void;
}

function listenForSignals(): Signals {
  const stop = new AbortController();
  const kill = new AbortController();
  const received: NodeJS.Signals[] = [];
  const onSignal = (signal: NodeJS.Signals): void => {
    received.push(signal);
    (received.length === 1 ? stop : kill).abort();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  const ignore = (): void => {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
  return { stop: stop.signal, kill: kill.signal, received, ignore };
}

function whenAborted(signal: AbortSignal, act: () => void): void {
  if (signal.aborted) act();
  else signal.addEventListener('abort', act, { once: true });
}
