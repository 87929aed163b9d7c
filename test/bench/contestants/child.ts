import { join } from 'node:path';
import { spawnService } from '../../support/services/child-process.ts';
import type { RunningContestant } from './contestant.ts';

/** How a contestant's process is started, asked and ended. */
export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** Where its output goes. */
  readonly folder: string;
  /** Where it runs. @default where this process does */
  readonly cwd?: string;
  readonly untilStreaming?: () => Promise<void>;
  readonly progress?: () => Promise<number>;
  /** `finishes`: ends with exit code 0 when its work is done. Otherwise the signal, and what the process ends with. */
  readonly ends: 'finishes' | { readonly by: NodeJS.Signals; readonly with: string };
}

/** The end of a process that has nothing to lose. */
export const KILLED = { by: 'SIGKILL', with: 'SIGKILL' } as const;

/** A contestant that is one process. */
export async function startChild(options: ChildOptions): Promise<RunningContestant> {
  const { command, args, folder, cwd = process.cwd(), ends, progress } = options;
  const child = await spawnService(command, args, { logFile: join(folder, 'contestant.log'), cwd });
  let stopping = false;
  const ended = child.exited.then((how) => {
    if (stopping || (ends === 'finishes' && how === 'exit code 0')) return new Promise<never>(() => undefined);
    throw new Error(`the process ended by itself (${how})`);
  });
  ended.catch(() => undefined);
  return {
    pids: [child.pid],
    ended,
    output: () => child.output(),
    ...(progress === undefined ? {} : { progress }),
    untilStreaming: () => Promise.race([options.untilStreaming?.() ?? Promise.resolve(), ended]),
    stop: async () => {
      stopping = true;
      if (ends !== 'finishes') child.signal(ends.by);
      const how = await child.exited;
      const wanted = ends === 'finishes' ? 'exit code 0' : ends.with;
      if (how !== wanted) throw new Error(`ended with ${how} when stopped`);
    },
    dispose: async () => {
      stopping = true;
      if (child.running) await child.killTree();
    },
  };
}

/** Several processes as one contestant. @param untilStreaming in the place of what each of them says by itself */
export function together(
  children: readonly RunningContestant[],
  untilStreaming: () => Promise<void>,
): RunningContestant {
  const ended = Promise.race(children.map((child) => child.ended));
  const all = async (act: (child: RunningContestant) => Promise<unknown>): Promise<void> => {
    await Promise.all(children.map(act));
  };
  return {
    pids: children.flatMap(({ pids }) => pids),
    ended,
    output: async () => (await Promise.all(children.map((child) => child.output()))).join('\n'),
    untilStreaming: () => Promise.race([untilStreaming(), ended]),
    stop: () => all((child) => child.stop()),
    dispose: () => all((child) => child.dispose()),
  };
}
