import { onTestFinished } from 'vitest';
import { launchRelay, type RelayConfig, type RelayProcess } from './relay-child.ts';
import { removeScratchFolder, scratchFolder } from './services/scratch.ts';

export type { RelayConfig, RelayProcess } from './relay-child.ts';

/**
 * Starts the relay as users do, with a configuration file, in a process of its own, and resolves when its admin port
 * answers. It is killed when the running test ends; if the test fails, what it logged is printed.
 *
 * @param preloads modules that its process loads first
 */
export async function startRelay(config: RelayConfig, preloads: readonly string[] = []): Promise<RelayProcess> {
  const relay = await spawnRelay(config, preloads);
  await relay.untilListening();
  return relay;
}

/** The same without waiting: for a relay that is to end by itself. */
export async function spawnRelay(config: RelayConfig, preloads: readonly string[] = []): Promise<RelayProcess> {
  const folder = await scratchFolder('relay');
  const relay = await launchRelay(config, folder, preloads);
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(`--- log of relay ${relay.pid}\n${await relay.logTail()}`);
    await relay.kill();
    await removeScratchFolder(folder);
  });
  return relay;
}
