import pg from 'pg';
import { applyInit, type InitOptions } from '../../src/postgres/init.ts';
import { type StartedPostgres, startPostgres } from '../support/services/postgres.ts';
import { DEFAULT_COLUMNS } from '../support/outbox.ts';
import { until } from '../support/services/until.ts';
import { OTHER_TYPE, type RowShape, USUAL_ROWS, writerProcedures } from './rows.ts';

/** What the outbox's publication is called; the relay's default. */
export const PUBLICATION = 'outbox_relay';

const SETTINGS = {
  shared_buffers: '256MB',
  // No checkpoint in the middle of a run; one is made before it.
  max_wal_size: '8GB',
  checkpoint_timeout: '1h',
  // Those that stand still while rows are written must keep their stream, however long writing takes.
  wal_sender_timeout: '10min',
};

const INIT: InitOptions = {
  mapping: {
    schema: 'public',
    name: 'outbox',
    columns: DEFAULT_COLUMNS,
    extra: [],
  },
  payload: 'jsonb',
  publication: PUBLICATION,
  relayRole: null,
  writerRole: null,
};

/** Makes the publications of so many shards by key. */
export async function makeShardPublications(url: string, shards: number): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    await applyInit(client, { ...INIT, sharding: { shards, by: 'aggregateid' } }, true);
  } finally {
    await client.end();
  }
}

/** How writers commit. */
export interface WriteOptions {
  readonly synchronousCommit: 'on' | 'off';
}

/** Starts the server that all runs share. */
export function startBenchPostgres(): Promise<StartedPostgres> {
  return startPostgres({ settings: SETTINGS });
}

/** A database for one run, with an empty outbox as `outbox-relay init` makes it, and the writers. */
export class BenchDatabase {
  readonly url: string;
  readonly #server: StartedPostgres;
  readonly #name: string;

  private constructor(server: StartedPostgres, name: string, url: string) {
    this.#server = server;
    this.#name = name;
    this.url = url;
  }

  static async create(server: StartedPostgres, name: string, shape: RowShape): Promise<BenchDatabase> {
    const database = new BenchDatabase(server, name, await server.createDatabase(name));
    await database.#withClient(async (client) => {
      await applyInit(client, INIT, true);
      await client.query(writerProcedures(shape));
    });
    return database;
  }

  /** Writes rows 1 to `rows` by several connections at once, `perTransaction` in each transaction. */
  async write(rows: number, perTransaction: number, writers: number, options: WriteOptions): Promise<void> {
    await this.#shared(rows, writers, options, (client, first, last) =>
      client.query('CALL bench_write($1, $2, $3)', [first, last, perTransaction]),
    );
  }

  /** Writes rows 1 to `rows`, one a transaction, at a rate of all connections together. */
  async pace(rows: number, perSecond: number, writers: number, options: WriteOptions): Promise<void> {
    await this.#shared(rows, writers, options, (client, first, last) =>
      client.query('CALL bench_pace($1, $2, $3)', [first, last, perSecond / writers]),
    );
  }

  /** Writes rows that another destination is to have. */
  async writeOther(rows: number): Promise<void> {
    await this.#withClient((client) =>
      client.query(
        `INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload)
          SELECT $1, 'key-' || n % ${USUAL_ROWS.keys}, 'written', bench_payload() FROM generate_series(1, $2::int) n`,
        [OTHER_TYPE, rows],
      ),
    );
  }

  /** So that none falls into what is measured. */
  async checkpoint(): Promise<void> {
    await this.#server.query('CHECKPOINT');
  }

  /** Of those that are published; what waits for another destination does not count. */
  async rowsLeft(): Promise<number> {
    return this.#withClient(async (client) => {
      const { rows } = await client.query<{ count: number }>(
        'SELECT count(*)::int AS count FROM public.outbox WHERE aggregatetype <> $1',
        [OTHER_TYPE],
      );
      return rows[0]?.count ?? 0;
    });
  }

  /** Of the table with its indexes and what is stored beside it. */
  async tableBytes(table: string): Promise<number> {
    const bytes = 'SELECT pg_total_relation_size($1::regclass)::float8 AS bytes';
    return this.#withClient(
      async (client) => (await client.query<{ bytes: number }>(bytes, [table])).rows[0]?.bytes ?? 0,
    );
  }

  /** What rows that a contestant leaves in the table still cost: they are deleted, at once; and vacuum. */
  async cleanUp(table: string): Promise<void> {
    await this.#withClient(async (client) => {
      await client.query(`DELETE FROM ${table}`);
      await client.query(`VACUUM ${table}`);
    });
  }

  async drop(): Promise<void> {
    const slots = `SELECT pg_terminate_backend(active_pid), pg_drop_replication_slot(slot_name)
      FROM pg_replication_slots WHERE database = $1`;
    // A slot is in use until its reader has ended.
    const dropSlots = () => this.#server.query(slots, [this.#name]).then(() => true);
    await until(dropSlots, { what: `the slots of ${this.#name} to be dropped` });
    await this.#server.query(`DROP DATABASE ${pg.escapeIdentifier(this.#name)} WITH (FORCE)`);
  }

  async #shared(
    rows: number,
    writers: number,
    { synchronousCommit }: WriteOptions,
    write: (client: pg.Client, first: number, last: number) => Promise<unknown>,
  ): Promise<void> {
    const share = Math.ceil(rows / writers);
    const starts = Array.from({ length: writers }, (_, writer) => writer * share + 1).filter((first) => first <= rows);
    await Promise.all(
      starts.map((first) =>
        this.#withClient(async (client) => {
          await client.query(`SET synchronous_commit = ${synchronousCommit}`);
          await write(client, first, Math.min(first + share - 1, rows));
        }),
      ),
    );
  }

  async #withClient<T>(use: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client(this.url);
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await use(client);
    } finally {
      await client.end();
    }
  }
}
