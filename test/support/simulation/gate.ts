/**
 * The border of a simulated process: everything that leaves it (statements, requests to a broker) and everything that
 * reaches it (answers, what the log brings) crosses here. Between two crossings a process does nothing that anybody
 * could see; so a process that may die at any crossing may die at any moment that matters.
 */
export class Gate {
  readonly #trigger: Trigger | null;
  readonly #whenShut: (() => void)[] = [];
  #crossings = 0;
  #armed = true;
  /** What waits at the border of a process that is stopped (SIGSTOP) or cut off from its network. */
  #waiting: (() => void)[] | null = null;
  #shut = false;
  #deposed = false;

  /** @param trigger what happens to the process, and right before which crossing; null: nothing */
  constructor(trigger: Trigger | null) {
    this.#trigger = trigger;
  }

  get shut(): boolean {
    return this.#shut;
  }

  /** Whether another process leads, and has waited for the lease of this one to end by anybody's clock. */
  get deposed(): boolean {
    return this.#deposed;
  }

  /** A request and its answer. The answer never comes when the process has died. */
  call<T>(request: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.cross(() => {
        request().then(
          (answer) => this.cross(() => resolve(answer)),
          (error: unknown) => this.cross(() => reject(error instanceof Error ? error : new Error(String(error)))),
        );
      });
    });
  }

  /** One crossing, in either direction. */
  cross(action: () => void): void {
    if (this.#armed && ++this.#crossings === this.#trigger?.crossing) this.#trigger.action(this);
    if (this.#shut) return;
    if (this.#waiting === null) action();
    else this.#waiting.push(action);
  }

  /** The process died: nothing crosses any more. What has left it goes on. */
  close(): void {
    if (this.#shut) return;
    this.#shut = true;
    this.#waiting = null;
    for (const action of this.#whenShut.splice(0)) action();
  }

  /** Calls `action` at the death of the process: its peers see its connections end. */
  whenShut(action: () => void): void {
    if (this.#shut) action();
    else this.#whenShut.push(action);
  }

  freeze(): void {
    this.#waiting ??= [];
  }

  depose(): void {
    this.#deposed = true;
  }

  thaw(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    for (const action of waiting ?? []) this.cross(action);
  }

  /** The trigger is not waited for any more. */
  disarm(): void {
    this.#armed = false;
  }
}

/** What happens to a process, and when. */
export interface Trigger {
  /** Counted from its start, from 1. */
  readonly crossing: number;
  /** Given the gate, since the first crossing is made before anybody else has it. */
  readonly action: (gate: Gate) => void;
}
