import { setImmediate } from 'node:timers/promises';
import { EXIT } from './exit-codes.ts';

const CLEAR_LINE = '\r\x1b[K';

/**
 * Ends a command from outside: at Ctrl-C, and when its output goes nowhere: who read it has gone (`| head`), or the disk is full. What a command leaves behind
 * then is what a lost connection leaves: the server rolls back, and drops what belongs to the session.
 */
export class Ending {
  /** The exit code, once the command is to end. */
  readonly code: Promise<number>;
  #resolve: (code: number) => void = () => undefined;
  #outputLost = false;

  constructor() {
    this.code = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  listen(): void {
    process.on('SIGINT', this.#onInterrupt);
    process.stdout.on('error', this.#onOutputError);
  }

  dispose(): void {
    process.off('SIGINT', this.#onInterrupt);
    process.stdout.off('error', this.#onOutputError);
  }

  /** What a command ends with that has come to its end: its own code, unless its report did not get to where it was to go. */
  async exitCode(code: number): Promise<number> {
    // the error of a last write is told after it
    await setImmediate();
    return this.#outputLost ? EXIT.failed : code;
  }

  readonly #onInterrupt = (): void => {
    process.stderr.write(`${process.stderr.isTTY ? CLEAR_LINE : ''}outbox-relay: interrupted\n`);
    this.#resolve(EXIT.interrupted);
  };

  /** Who has gone wants no more; a disk that is full has kept half a report, which must not pass for a whole one. */
  readonly #onOutputError = (error: NodeJS.ErrnoException): void => {
    if (error.code === 'EPIPE') {
      // a command that has come to its end meanwhile keeps its own exit code
      void setImmediate().then(() => this.#resolve(EXIT.ok));
      return;
    }
    if (!this.#outputLost) process.stderr.write(`outbox-relay: cannot write to standard output: ${error.message}\n`);
    this.#outputLost = true;
    this.#resolve(EXIT.failed);
  };
}
