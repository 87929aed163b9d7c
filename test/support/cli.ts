import { type MockInstance, vi } from 'vitest';
import { runCli } from '../../src/cli/program.ts';

/** What a command came to. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `outbox-relay` with these arguments in this process, which is much quicker than in one of its own. */
export async function outboxRelay(...args: readonly string[]): Promise<CommandResult> {
  const stdout = capture(process.stdout);
  const stderr = capture(process.stderr);
  try {
    const code = await runCli(args);
    return { code, stdout: textOf(stdout), stderr: textOf(stderr) };
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
  }
}

type Write = MockInstance<(text: string) => boolean>;

function capture(stream: NodeJS.WriteStream): Write {
  return vi.spyOn(stream as { write: (text: string) => boolean }, 'write').mockReturnValue(true);
}

function textOf(write: Write): string {
  return write.mock.calls.map(([text]) => text).join('');
}
