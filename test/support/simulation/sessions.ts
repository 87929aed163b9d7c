import { RelayError } from '../../../src/core/errors.ts';
import type { ParkedMark } from '../../../src/core/store.ts';
import type { SimulatedDatabase } from './database.ts';
import type { Gate } from './gate.ts';
import type { DatabaseFaults, ReaderRule } from './plan.ts';
import type { SimulatedRow } from './rows.ts';

/** What of the routing the database knows. */
export interface SimulatedRouting {
  /** Whose row it is. */
  destinationOf(row: Pick<SimulatedRow, 'key'>): string;
  /** Whether what SQL leaves out includes the keys behind parked rows, and not only these. */
  readonly keysInSql: boolean;
}

/**
 * The database as one term of a relay process sees it: over sessions that end with the process, and that are to be had
 * only on the server on which the term began, and only in the same life of it.
 */
export class SimulatedSessions {
  readonly database: SimulatedDatabase;
  readonly gate: Gate;
  /** `<table>_parked`. */
  readonly marks: Map<string, ParkedMark>;
  readonly routing: SimulatedRouting;
  /** Those of this moment: they cease at the quiet end of a history. */
  readonly faults: () => DatabaseFaults;
  readonly #broken: ReaderRule | null;
  readonly #left: () => void;
  readonly #crashes: number;

  /** @param left called when a session has come to another server, or to another life of it: the term is to end */
  constructor(
    parts: Pick<SimulatedSessions, 'database' | 'gate' | 'marks' | 'routing' | 'faults'>,
    broken: ReaderRule | null,
    left: () => void,
  ) {
    this.database = parts.database;
    this.gate = parts.gate;
    this.marks = parts.marks;
    this.routing = parts.routing;
    this.faults = parts.faults;
    this.#broken = broken;
    this.#left = left;
    this.#crashes = parts.database.crashes;
  }

  /** Whether the server has not crashed since the term began. */
  get serverLives(): boolean {
    return this.database.crashes === this.#crashes;
  }

  /** A request over the border of the process, and its answer. */
  async call<T>(request: () => Promise<T>): Promise<T> {
    try {
      return await this.gate.call(request);
    } catch (error) {
      if (error instanceof RelayError && error.code === 'postgres_other_primary') this.#left();
      throw error;
    }
  }

  /** A statement, on a session that connects anew after a loss. */
  statement<T>(doing: string, failing: number, work: () => T | Promise<T>): Promise<T> {
    return this.database.statement(doing, failing, () => {
      if (!this.serverLives) throw new RelayError('postgres_other_primary', `simulated: ${doing}`);
      return work();
    });
  }

  /** Whether a rule is broken, for the sake of a mutant. */
  breaks(rule: ReaderRule): boolean {
    return this.#broken === rule;
  }

  /** A destination's rows without those that are parked, lowest position first, in a snapshot taken now. */
  unpublished(destination: string): readonly SimulatedRow[] {
    const marks = [...this.marks.values()];
    const keys = new Set(this.routing.keysInSql ? marks.map(({ key }) => key) : []);
    const parked = new Set(marks.map(({ id }) => id));
    return this.database
      .rows()
      .filter((row) => this.routing.destinationOf(row) === destination)
      .filter(({ id, key }) => !parked.has(id) && (key === null || !keys.has(key)));
  }
}
