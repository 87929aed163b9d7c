import type { CommitProxy } from '../../test/support/commit-proxy.ts';
import type { OwnProcess } from './processes.ts';

/**
 * Kills a service whenever its database has committed something of a kind that it had not committed before, ahead of the
 * service's hearing of it; and starts it again. So it dies once in every gap between two commits, where whoever changes
 * state and outbox, or state and inbox, in two transactions is left with one of them.
 */
export class CommitKills {
  readonly #service: OwnProcess;
  readonly #met = new Set<string>();
  #isDown = false;
  #isOver = false;
  #restarted = Promise.resolve();

  /** @param tell called with what was committed, at each kill */
  constructor(service: OwnProcess, commits: CommitProxy, tell: (kind: string) => void) {
    this.#service = service;
    commits.hears = (kind) => {
      if (this.#isOver || this.#met.has(kind)) return true;
      this.#met.add(kind);
      tell(kind);
      // Another session of the process that is just being killed: it does not hear of it either.
      if (this.#isDown) return false;
      this.#isDown = true;
      this.#restarted = this.#restart();
      this.#restarted.catch(() => undefined); // told by `end`
      return false;
    };
  }

  /** Kills no more. @throws when the service could not be started again */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#restarted;
  }

  async #restart(): Promise<void> {
    await this.#service.kill();
    this.#isDown = false;
    await this.#service.start();
  }
}
