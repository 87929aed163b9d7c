/** What the suites of passes over the table have: a database with empty tables, two sessions, readers. */
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { PostgresTableReader } from '../../src/capture/table/reader.ts';
import type { PassRequest } from '../../src/core/capture.ts';
import type { PostgresOptions } from '../../src/postgres/connection.ts';
import { NO_FILTERS, type RowFilters } from '../../src/postgres/unpublished-rows.ts';
import { freshDatabase } from './service.ts';
import * as harness from './table-harness.ts';

/** A backend that serves passes, as the server tells. */
export interface PassBackend {
  readonly pid: number;
  readonly wait_event: string | null;
}

/** Set up anew before each test. */
export interface PassSuite {
  readonly sql: pg.Client;
  readonly other: pg.Client;
  readonly postgres: PostgresOptions;
  /** Without filters; a test may put another one in its place. */
  reader: PostgresTableReader;
  readerWith(filters: RowFilters, lockTimeoutMs?: number): PostgresTableReader;
  /** The message keys that a pass reads. */
  read(by: PostgresTableReader, request?: PassRequest): Promise<(string | null | undefined)[]>;
  backends(): Promise<PassBackend[]>;
}

class Suite implements PassSuite {
  sql!: pg.Client;
  other!: pg.Client;
  reader!: PostgresTableReader;
  readonly #database = freshDatabase();
  #readers: PostgresTableReader[] = [];

  get postgres(): PostgresOptions {
    return harness.postgresOptions(this.#database.url);
  }

  async connect(): Promise<void> {
    this.sql = await harness.connect(this.#database.url);
    this.other = await harness.connect(this.#database.url);
  }

  async renew(): Promise<void> {
    await this.sql.query(harness.RECREATE);
    this.reader = this.readerWith(NO_FILTERS);
  }

  async closeReaders(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.close()));
    this.#readers = [];
  }

  async disconnect(): Promise<void> {
    await Promise.all([this.sql.end(), this.other.end()]);
  }

  readerWith(filters: RowFilters, lockTimeoutMs = 2_000): PostgresTableReader {
    const { postgres } = this;
    const reader = new PostgresTableReader({ postgres, table: harness.outbox(), filters, lockTimeoutMs });
    this.#readers.push(reader);
    return reader;
  }

  async read(by: PostgresTableReader, request = harness.request()): Promise<(string | null | undefined)[]> {
    return harness.keys(await harness.drain(await by.open(request, new AbortController().signal)));
  }

  async backends(): Promise<PassBackend[]> {
    const { rows } = await this.sql.query<PassBackend>(
      `SELECT pid, wait_event FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'table-test table'`,
    );
    return rows;
  }
}

/** For the suite in which it is called. */
export function passSuite(): PassSuite {
  const suite = new Suite();
  beforeAll(() => suite.connect());
  beforeEach(() => suite.renew());
  afterEach(() => suite.closeReaders());
  afterAll(() => suite.disconnect());
  return suite;
}
