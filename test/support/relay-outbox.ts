import type pg from 'pg';
import { onTestFinished } from 'vitest';
import { quoteTable, type TableName } from '../../src/postgres/identifier.ts';
import type { PayloadType } from '../../src/postgres/migrate.ts';
import { connectAdmin, createOutbox, createRole, dropRoles, postgresOptions } from './outbox.ts';
import type { RelayConfig } from './relay-process.ts';
import { uniqueName } from './service.ts';
import { until } from './services/until.ts';

/** How a test's outbox differs from the default. */
export interface RelayOutboxOptions {
  /** @default 'jsonb' */
  readonly payload?: PayloadType;
  /** Attributes of the role that the relay logs in as. @default 'REPLICATION' */
  readonly role?: string;
}

/** The settings that a test may have of its own, section by section. */
export interface RelaySettings {
  readonly destinations: RelayConfig;
  readonly routes?: readonly RelayConfig[];
  readonly capture?: RelayConfig;
  readonly limits?: RelayConfig;
  readonly leader?: RelayConfig;
  readonly shutdown?: RelayConfig;
  readonly published?: RelayConfig;
  readonly tracing?: RelayConfig;
  readonly admin?: RelayConfig;
}

/** An outbox table of its own for the running test, and a role with no more than the privileges that `init` grants. */
export class RelayOutbox {
  readonly url: string;
  /** A session of the superuser. It may break without breaking the test. */
  readonly admin: pg.Client;
  readonly role: string;
  readonly name: TableName;
  readonly publication: string;
  readonly slotPrefix = uniqueName('slot');

  constructor(url: string, admin: pg.Client, role: string, name: TableName, publication: string) {
    this.url = url;
    this.admin = admin;
    this.role = role;
    this.name = name;
    this.publication = publication;
  }

  /** The table, quoted. */
  get table(): string {
    return quoteTable(this.name);
  }

  /** A configuration for this table: durations for tests, and no audit that would heal what a test is to find. */
  config(settings: RelaySettings): RelayConfig {
    const { hosts, database, user, password } = postgresOptions(this.url, this.role);
    return {
      postgres: { ...hosts[0], database, user, password },
      table: { name: `${this.name.schema}.${this.name.name}` },
      destinations: settings.destinations,
      routes: settings.routes ?? [],
      capture: {
        publication: this.publication,
        slotPrefix: this.slotPrefix,
        retryReplication: '500ms',
        pollInterval: '50ms',
        auditInterval: '1h',
        ...settings.capture,
      },
      limits: settings.limits ?? {},
      leader: settings.leader ?? {},
      shutdown: settings.shutdown ?? {},
      published: settings.published ?? {},
      tracing: settings.tracing ?? {},
      admin: { port: 0, ...settings.admin },
    };
  }

  /** Inserts rows with the keys `key-1`, `key-2`, ... in one transaction. @param settings statements before it */
  async insert(rows: number, settings = ''): Promise<void> {
    const client = await connectAdmin(this.url);
    try {
      await client.query(settings);
      await client.query(
        `INSERT INTO ${this.table} (aggregatetype, aggregateid, type, payload)
         SELECT 'order', 'key-' || n, 'sent', '{}' FROM generate_series(1, $1::int) n`,
        [rows],
      );
    } finally {
      await client.end();
    }
  }

  /** How many rows are in the table. */
  async size(): Promise<number> {
    const { rows } = await this.#query<{ count: number }>(`SELECT count(*)::int AS count FROM ${this.table}`);
    return rows[0]!.count;
  }

  /** Waits until no row is left: all that was committed is acknowledged and deleted. */
  untilEmpty(timeoutMs = 60_000): Promise<void> {
    return this.untilSize(0, timeoutMs);
  }

  /** Waits until so many rows are left. */
  async untilSize(rows: number, timeoutMs = 60_000): Promise<void> {
    await until(async () => (await this.size()) === rows, {
      what: `${rows} rows left in the outbox`,
      timeoutMs,
      everyMs: 50,
      details: async () => `${await this.size()} rows are in the table`,
    });
  }

  /** Ends the walsender of the relay's stream. Returns how many there were. */
  async endWalsender(): Promise<number> {
    const { rowCount } = await this.#query(
      `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE starts_with(slot_name, $1) AND active_pid IS NOT NULL`,
      [this.slotPrefix],
    );
    return rowCount ?? 0;
  }

  /** The relay's slots. */
  async slots(): Promise<string[]> {
    const { rows } = await this.#query<{ slot_name: string }>(
      'SELECT slot_name::text FROM pg_replication_slots WHERE starts_with(slot_name, $1)',
      [this.slotPrefix],
    );
    return rows.map((row) => row.slot_name);
  }

  async untilNoSlot(): Promise<void> {
    await until(async () => (await this.slots()).length === 0, { what: 'the end of all slots' });
  }

  /** A session of its own for each question: the server may have been restarted since the last. */
  async #query<Row extends pg.QueryResultRow>(sql: string, values: unknown[] = []): Promise<pg.QueryResult<Row>> {
    const client = await connectAdmin(this.url);
    try {
      return await client.query<Row>(sql, values);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

/** Sets an outbox up in a database; the role goes when the running test ends. */
export async function relayOutbox(databaseUrl: string, options: RelayOutboxOptions = {}): Promise<RelayOutbox> {
  const admin = await connectAdmin(databaseUrl);
  const role = await createRole(admin, 'relay', options.role ?? 'REPLICATION');
  const { mapping, publication } = await createOutbox(admin, { payload: options.payload ?? 'jsonb', relayRole: role });
  if (publication === null) throw new Error('an outbox of tests has a publication');
  onTestFinished(async () => {
    await admin.end().catch(() => undefined);
    const cleaning = await connectAdmin(databaseUrl);
    await dropRoles(cleaning, [role]);
    await cleaning.end();
  });
  return new RelayOutbox(databaseUrl, admin, role, mapping, publication);
}
