import { join } from 'node:path';
import { type ServiceProcess, spawnService } from '../../support/services/child-process.ts';
import type { RunningContestant } from './contestant.ts';

/** How a contestant's process is started and asked. */
export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** Where its output goes. */
  readonly folder: string;
  readonly untilStreaming: (child: ServiceProcess) => Promise<void>;
  /** What the process ends with after SIGTERM. */
  readonly endsWith: string;
}

/** A contestant that is one process, and ends by SIGTERM. */
export async function startChild(options: ChildOptions): Promise<RunningContestant> {
  const logFile = join(options.folder, 'contestant.log');
  const child = await spawnService(options.command, options.args, { logFile });
  let stopping = false;
  const ended = child.exited.then(async (how) => {
    if (stopping) return new Promise<never>(() => undefined);
    throw new Error(`the process ended by itself (${how}):\n${await child.output()}`);
  });
  ended.catch(() => undefined);
  return {
    pid: child.pid,
    ended,
    untilStreaming: () => Promise.race([options.untilStreaming(child), ended]),
    stop: async () => {
      stopping = true;
      child.signal('SIGTERM');
      const how = await child.exited;
      if (how !== options.endsWith) throw new Error(`ended with ${how} when stopped:\n${await child.output()}`);
    },
    dispose: async () => {
      stopping = true;
      if (child.running) await child.killTree();
    },
  };
}
