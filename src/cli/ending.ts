import { EXIT } from './exit-codes.ts';

const CLEAR_LINE = '\r\x1b[K';

/**
 * Ends a command from outside: at Ctrl-C, and when who reads its output has gone (`| head`). What a command leaves behind
 * then is what a lost connection leaves: the server rolls back, and drops what belongs to the session.
 */
export class Ending {
  /** The exit code, once the command is to end. */
  readonly code: Promise<number>;
  #resolve: (code: number) => void = () => undefined;

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

  readonly #onInterrupt = (): void => {
    process.stderr.write(`${process.stderr.isTTY ? CLEAR_LINE : ''}outbox-relay: interrupted\n`);
    this.#resolve(EXIT.interrupted);
  };

  /** A command that has come to its end meanwhile keeps its own exit code. */
  readonly #onOutputError = ({ code }: NodeJS.ErrnoException): void => {
    setImmediate(() => this.#resolve(code === 'EPIPE' ? EXIT.ok : EXIT.failed));
  };
}
