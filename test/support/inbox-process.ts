import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ConsumerOptions } from './inbox-consumer.ts';
import { type ServiceProcess, spawnService } from './services/child-process.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Starts a process that consumes into an inbox (`inbox-consumer.ts`). */
export function launchConsumer(options: ConsumerOptions, folder: string): Promise<ServiceProcess> {
  const args = ['--import', 'tsx', join(ROOT, 'test/support/inbox-consumer.ts'), JSON.stringify(options)];
  return spawnService(process.execPath, args, { logFile: join(folder, 'consumer.log'), cwd: ROOT });
}
