import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';
import { loadConfig } from '../src/config/load.ts';
import type { StatusReport } from '../src/core/status.ts';
import { freePort } from '../test/support/services/ports.ts';
import { removeScratchFolder, scratchFolder } from '../test/support/services/scratch.ts';
import { until } from '../test/support/services/until.ts';
import type { DemoBroker } from './broker.ts';
import { BROKERS } from './brokers.ts';
import { initDatabase, rowsLeft, startDatabase, urlOf } from './database.ts';
import type { DemoOptions } from './options.ts';
import { Progress } from './progress.ts';
import { RelayProcess } from './relay-process.ts';
import type { DemoResult } from './report.ts';
import { createView, type ViewStream } from './view.ts';
import { write } from './writer.ts';

const SETTLE_TIMEOUT_MS = 60_000;

/**
 * Runs the demo until the time is up or `stop` is aborted, and waits until everything has arrived. Whatever it started
 * has ended when this resolves or rejects.
 *
 * @param out gets headings and progress
 * @throws when something cannot be started, or the relay ends before it is asked to
 */
export async function runDemo(options: DemoOptions, out: ViewStream, stop: AbortSignal): Promise<DemoResult> {
  const say = (line: string): void => void out.write(`${line}\n`);
  const progress = new Progress();
  const folder = await scratchFolder('demo');
  try {
    say('Starting Postgres ...');
    await using postgres = await startDatabase();
    if (options.broker !== 'console') say(`Getting ${options.broker} ready ...`);
    await using broker = await BROKERS[options.broker](progress.arrived);
    const adminPort = await freePort();
    const configFile = await writeConfig(folder, broker, urlOf(postgres, 'relay'), adminPort);
    await initDatabase(loadConfig({ file: configFile, env: {}, readFile: (path) => readFileSync(path, 'utf8') }));
    say(`Starting the relay: Postgres ${postgres.version} on port ${postgres.port} to ${broker.title}`);
    await using relay = new RelayProcess({ configFile, adminPort, folder, onLine: broker.onLine });
    await relay.untilReady();
    say(`Writing ${options.rate} rows a second${Number.isFinite(options.for) ? '' : ' until Ctrl-C'}\n`);
    await play(options, { progress, relay, url: urlOf(postgres, 'shop'), out }, stop);
    const relayExitCode = await relay.stop();
    const [verdict, left] = [progress.accounting.verdict(), await rowsLeft(postgres)];
    return { ...verdict, ok: verdict.ok && left === 0 && relayExitCode === 0, left, relayExitCode };
  } finally {
    await removeScratchFolder(folder);
  }
}

interface Stage {
  readonly progress: Progress;
  readonly relay: RelayProcess;
  /** How the shop logs in. */
  readonly url: string;
  readonly out: ViewStream;
}

/** Writes, shows, and waits for what is still under way. @throws when the relay ends in the middle of it */
async function play(options: DemoOptions, stage: Stage, stop: AbortSignal): Promise<void> {
  const { progress, relay, url } = stage;
  const curtain = new AbortController();
  const time = new AbortController();
  const timer = Number.isFinite(options.for) ? setTimeout(() => time.abort(), options.for) : undefined;
  const enough = AbortSignal.any([stop, curtain.signal, time.signal]);
  const shown = show(stage, curtain.signal);
  const relayGone = relay.ended.then(async () => {
    throw new Error(`the relay ended by itself:\n${await relay.logTail()}`);
  });
  try {
    const written = write({ url, rate: options.rate, accounting: progress.accounting }, enough);
    await Promise.race([written.then(() => settled(progress)), relayGone]);
  } finally {
    clearTimeout(timer);
    curtain.abort();
    await shown;
  }
}

/** Waits until all has arrived; what has not when the time is up is missing, which the verdict tells. */
async function settled({ accounting }: Progress): Promise<void> {
  const done = until(() => accounting.counts().waiting === 0, {
    what: 'the rest to arrive',
    timeoutMs: SETTLE_TIMEOUT_MS,
  });
  await done.catch(() => undefined);
}

async function show({ progress, relay, out }: Stage, over: AbortSignal): Promise<void> {
  const view = createView(out);
  let status: StatusReport | null = null;
  while (!over.aborted) {
    status = (await relay.status()) ?? status;
    view.show(progress.snapshot(status));
    await delay(view.intervalMs, undefined, { signal: over }).catch(() => undefined);
  }
  view.show(progress.snapshot(status));
}

async function writeConfig(folder: string, broker: DemoBroker, url: string, adminPort: number): Promise<string> {
  const file = join(folder, 'outbox-relay.yaml');
  await writeFile(file, stringify({ postgres: { url }, ...broker.config, admin: { port: adminPort } }), {
    mode: 0o600,
  });
  return file;
}
