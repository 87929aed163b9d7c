import { mkdir } from 'node:fs/promises';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launchRelay, type RelayConfig } from '../../test/support/relay-child.ts';
import { type ServiceProcess, spawnService } from '../../test/support/services/child-process.ts';
import { until } from '../../test/support/services/until.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const START_TIMEOUT_MS = 60_000;

/** A process of the example, which can be killed and started again. */
export interface Party {
  readonly name: string;
  start(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

/** A party that can also be asked to end. */
export interface OwnProcess extends Party {
  untilReady(): Promise<void>;
  /** SIGTERM. @returns how it ended: `exit code 0` */
  stop(): Promise<string>;
  /** All that it has printed, over all its lives. */
  log(): Promise<string>;
}

/** A service: `node services/NAME/main.ts`. */
export async function serviceProcess(
  name: string,
  folder: string,
  env: Readonly<Record<string, string>>,
): Promise<OwnProcess> {
  const place = join(folder, name);
  await mkdir(place);
  const logFile = join(place, 'service.log');
  const main = fileURLToPath(new URL(`services/${name}/main.ts`, import.meta.url));
  let child: ServiceProcess | undefined;
  return {
    name,
    start: async () => {
      const args = ['--import', 'tsx', main];
      child = await spawnService(process.execPath, args, { logFile, cwd: ROOT, env: { ...process.env, ...env } });
    },
    untilReady: () =>
      until(async () => (await fetch(`http://127.0.0.1:${env.PORT ?? ''}/health`)).ok, {
        what: `the service ${name}`,
        timeoutMs: START_TIMEOUT_MS,
        details: () => child?.output() ?? '',
      }).then(() => undefined),
    kill: async () => child?.killTree(),
    stop: async () => {
      child?.signal('SIGTERM');
      return (await child?.exited) ?? 'never started';
    },
    log: () => readFile(logFile, 'utf8'),
  };
}

/** A relay: `outbox-relay run`. */
export async function relayProcess(name: string, folder: string, config: RelayConfig): Promise<OwnProcess> {
  const place = join(folder, name);
  await mkdir(place);
  const launch = () => launchRelay(config, place);
  let relay: Awaited<ReturnType<typeof launch>> | undefined;
  return {
    name,
    start: async () => void (relay = await launch()),
    untilReady: async () => relay?.untilListening(),
    kill: async () => relay?.kill(),
    stop: async () => (await relay?.end('SIGTERM')) ?? 'never started',
    log: () => readFile(join(place, 'relay.log'), 'utf8'),
  };
}
