import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { Random } from '../simulation/random.ts';
import { copyIn } from './copy-in.ts';
import type { WorkloadTables } from './tables.ts';

/** An event as a writer wrote it. */
export interface WrittenEvent {
  readonly id: string;
  readonly key: string;
  /** Counts the committed events of the key from 1. */
  readonly version: number;
}

/** How a transaction ended, as far as its writer knows. */
export type Outcome =
  | 'committed'
  /** Committed without waiting for the disk: a crash of the server may take it back. */
  | 'committed-async'
  | 'rolled-back'
  /** The connection broke while the commit was on its way. */
  | 'unknown';

/** Column `aggregatetype` of an event is what precedes the dash in its key. */
export function typeOfKey(key: string): string {
  return key.slice(0, key.lastIndexOf('-'));
}

/** One transaction of a writer: what it does to the outbox, and what then can be known of its events. */
export class Transaction {
  readonly random: Random;
  readonly #client: pg.Client;
  readonly #tables: WorkloadTables;
  readonly #paddingBytes: number;
  #events: WrittenEvent[] = [];
  readonly #undone: WrittenEvent[] = [];
  #outcome: Outcome = 'rolled-back';

  constructor(client: pg.Client, tables: WorkloadTables, random: Random, paddingBytes: number) {
    this.#client = client;
    this.#tables = tables;
    this.random = random;
    this.#paddingBytes = paddingBytes;
  }

  get outcome(): Outcome {
    return this.#outcome;
  }

  /** Events that share the fate of the transaction. */
  get events(): readonly WrittenEvent[] {
    return this.#events;
  }

  /** Events that were rolled back with a savepoint. */
  get undone(): readonly WrittenEvent[] {
    return this.#undone;
  }

  /** Anything that belongs to no event: BEGIN, a savepoint. */
  async run(sql: string): Promise<void> {
    await this.#client.query(sql);
  }

  /** One event for each key, in one statement. */
  async insert(...keys: readonly string[]): Promise<void> {
    const events = await this.#allocate(keys);
    const { outbox, ledger } = this.#tables;
    await this.#client.query(
      `WITH event AS (SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[]) WITH ORDINALITY AS e (id, key, version, place)),
         noted AS (INSERT INTO ${ledger} (id, key, version) SELECT id, key, version FROM event)
       INSERT INTO ${outbox} (id, aggregatetype, aggregateid, type, payload)
         SELECT id, regexp_replace(key, '-[^-]*$', ''), key, 'written', jsonb_build_object('key', key, 'version', version, 'padding', $4::text)
         FROM event ORDER BY place`,
      [...columns(events), this.#padding()],
    );
  }

  /** The same by COPY. */
  async copy(...keys: readonly string[]): Promise<void> {
    const events = await this.#allocate(keys);
    const { outbox, ledger } = this.#tables;
    await this.#client.query(
      `INSERT INTO ${ledger} (id, key, version) SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[])`,
      columns(events),
    );
    const padding = this.#padding();
    const rows = events.map(({ id, key, version }) => [
      id,
      typeOfKey(key),
      key,
      'copied',
      JSON.stringify({ key, version, padding }),
    ]);
    await copyIn(this.#client, `COPY ${outbox} (id, aggregatetype, aggregateid, type, payload) FROM STDIN`, rows);
  }

  /** Runs `inner` between a savepoint and a rollback to it. */
  async undo(inner: () => Promise<void>): Promise<void> {
    const before = this.#events;
    await this.run('SAVEPOINT undone');
    this.#events = [];
    await inner();
    this.#undone.push(...this.#events);
    this.#events = before;
    await this.run('ROLLBACK TO SAVEPOINT undone');
  }

  /** Ends the transaction by something that makes it durable. */
  async commit(sql = 'COMMIT', outcome: 'committed' | 'committed-async' = 'committed'): Promise<void> {
    this.#outcome = 'unknown';
    const { command } = await this.#client.query(sql);
    // COMMIT of a transaction that has failed answers ROLLBACK.
    this.#outcome = command === 'ROLLBACK' ? 'rolled-back' : outcome;
  }

  /** The first phase of a commit in two; from here on it depends on the second. */
  async prepare(name: string): Promise<void> {
    this.#outcome = 'unknown';
    await this.run(`PREPARE TRANSACTION '${name}'`);
  }

  async rollbackPrepared(name: string): Promise<void> {
    await this.run(`ROLLBACK PREPARED '${name}'`);
    this.#outcome = 'rolled-back';
  }

  /** Takes the lock of each key, and the next version, before anything goes into the outbox. */
  async #allocate(keys: readonly string[]): Promise<WrittenEvent[]> {
    const events: WrittenEvent[] = [];
    for (const key of keys) {
      const { rows } = await this.#client.query<{ version: number }>(
        `UPDATE ${this.#tables.aggregate} SET version = version + 1 WHERE key = $1 RETURNING version`,
        [key],
      );
      const event = { id: randomUUID(), key, version: rows[0]!.version };
      events.push(event);
      this.#events.push(event);
    }
    return events;
  }

  #padding(): string {
    return 'x'.repeat(this.random.below(2 * this.#paddingBytes + 1));
  }
}

function columns(events: readonly WrittenEvent[]): unknown[] {
  return [events.map(({ id }) => id), events.map(({ key }) => key), events.map(({ version }) => version)];
}
