import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { onTestFinished } from 'vitest';

/** How a process runs `outbox-relay`; arguments follow. */
export const CLI = [
  process.execPath,
  '--import',
  'tsx',
  new URL('../../src/main.ts', import.meta.url).pathname,
] as const;

/** A command in a process of its own. It is killed when the running test ends. */
export interface CommandProcess {
  readonly process: ChildProcessWithoutNullStreams;
  /** Both streams so far. */
  readonly output: () => string;
  /** The exit code; null when a signal ended it. */
  readonly code: Promise<number | null>;
  /**
   * Resolves once the pattern is found in what was printed from `start` on, with the position behind it.
   *
   * @throws when the command ends without having printed it
   */
  readonly printed: (pattern: RegExp, start?: number) => Promise<number>;
}

/** Starts a program. */
export function startCommand(command: string, args: readonly string[]): CommandProcess {
  const child = spawn(command, args, { env: { ...process.env, FORCE_COLOR: '', NO_COLOR: '' } });
  onTestFinished(() => void child.kill('SIGKILL'));
  const told = new EventEmitter<{ told: [] }>();
  let output = '';
  let ended = false;
  const hear = (chunk: Buffer): void => {
    output += chunk.toString();
    told.emit('told');
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  const code = once(child, 'close').then(([exitCode]) => {
    ended = true;
    told.emit('told');
    return exitCode as number | null;
  });
  const printed = async (pattern: RegExp, start = 0): Promise<number> => {
    for (;;) {
      const found = pattern.exec(output.slice(start));
      if (found !== null) return start + found.index + found[0].length;
      if (ended) throw new Error(`ended without having printed ${String(pattern)}:\n${output.slice(start)}`);
      await once(told, 'told');
    }
  };
  return { process: child, output: () => output, code, printed };
}

/** Starts `outbox-relay` as users do. */
export function startCli(...args: readonly string[]): CommandProcess {
  const [node, ...first] = CLI;
  return startCommand(node, [...first, ...args]);
}
