import type pg from 'pg';
import { quoteTable, type TableName } from '../../src/postgres/identifier.ts';
import { workloadTables } from '../support/workload/tables.ts';
import { connectAdmin, createOutbox, createRole, dropRoles, postgresOptions } from '../support/outbox.ts';
import type { RelayConfig } from '../support/relay-child.ts';
import { until } from '../support/services/until.ts';
import { uniqueName } from '../support/unique-name.ts';
import type { Sink } from './brokers/broker.ts';
import type { RoundPlan } from './plan.ts';
import { DebeziumRelays, type SupervisedPlace, withPlainId } from './relays/debezium-relays.ts';
import { OutboxRelays } from './relays/outbox-relays.ts';
import type { RelayGroup } from './relays/relay-group.ts';
import type { Services } from './services.ts';

const STATEMENT_TIMEOUT_MS = 60_000;

/** What a round is played on: an outbox in a database of its own, a place at the broker, and relays between them. */
export interface Stage extends Services {
  readonly url: string;
  readonly table: TableName;
  /** The outbox, quoted. */
  readonly outbox: string;
  readonly publication: string;
  /** Of the relays. */
  readonly role: string;
  readonly relays: RelayGroup;
  readonly sink: Sink;
  /** Runs statements as the superuser, again if the server is away or goes meanwhile: they must bear repetition. */
  readonly sql: (statements: string) => Promise<void>;
  /** How many events are still to arrive: by what is in the outbox, and with a peer by what is at the broker. */
  readonly pending: () => Promise<number>;
  /** How many bytes of log the server keeps for the relays. */
  readonly retained: () => Promise<number>;
  /** Kills the relays and drops the database. */
  readonly clear: () => Promise<void>;
}

/** Another relay that can be played in the place of this one. */
export type PeerName = 'debezium';

/** Sets a round up. @param folder gets the relays' logs @param peer by default this project's relay is played */
export async function openStage(services: Services, plan: RoundPlan, folder: string, peer?: PeerName): Promise<Stage> {
  const name = uniqueName('chaos');
  const { postgres } = services;
  await postgres.query(`CREATE DATABASE ${name}`);
  const url = postgres.urlOf(name);
  const admin = await connectAdmin(url);
  const role = await createRole(admin, 'relay', 'REPLICATION');
  const { mapping, publication } = await createOutbox(admin, { relayRole: role });
  await admin.end();
  if (publication === null) throw new Error('an outbox of tests has a publication');
  const place = await services.broker.openSink(name, plan);
  const sink = peer === undefined ? place : { ...place, arrived: async () => (await place.arrived()).map(withPlainId) };
  const names = { url, role, mapping, publication, sink, name };
  const relays =
    peer === 'debezium'
      ? await DebeziumRelays.create(debeziumPlace(services, names), folder)
      : new OutboxRelays(relayConfig(services, plan, names), folder);
  const sql = (statements: string): Promise<void> => repeatedly(url, statements);
  return {
    ...services,
    url,
    table: mapping,
    outbox: quoteTable(mapping),
    publication,
    role,
    relays,
    sink,
    sql,
    pending: () => (peer === undefined ? countRows(url, quoteTable(mapping)) : countAbsent(url, mapping, sink)),
    retained: () => retainedBytes(url),
    clear: async () => {
      await relays.dispose();
      const cleaning = await connectAdmin(url);
      await dropRoles(cleaning, [role]);
      await cleaning.end();
      await postgres.dropStandby();
      await postgres.query(`DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

interface Names {
  readonly url: string;
  readonly role: string;
  readonly mapping: TableName;
  readonly publication: string;
  readonly sink: Sink;
  readonly name: string;
}

function relayConfig({ postgres }: Services, plan: RoundPlan, names: Names): RelayConfig {
  const { database, user, password } = postgresOptions(names.url, names.role);
  const { memory, undeleted, passRows, handoverRows, publishWhen } = plan.settings;
  return {
    postgres: { host: '127.0.0.1', port: postgres.relayProxy.port, database, user, password, connectTimeout: '3s' },
    table: { name: `${names.mapping.schema}.${names.mapping.name}` },
    ...names.sink.config,
    capture: {
      publication: names.publication,
      slotPrefix: names.name,
      retryReplication: '500ms',
      pollInterval: '50ms',
      // the audit would heal what is to be found
      auditInterval: '1h',
      slotTimeout: '5s',
      passRows,
      handoverRows,
      publishWhen,
    },
    limits: { memory, undeleted },
    leader: { lease: '4s' },
    log: { level: 'debug' },
  };
}

function debeziumPlace({ postgres }: Services, names: Names): SupervisedPlace {
  const { database, user, password } = postgresOptions(names.url, names.role);
  return {
    host: '127.0.0.1',
    port: postgres.relayProxy.port,
    database,
    user,
    password: password ?? '',
    table: `${names.mapping.schema}.${names.mapping.name}`,
    publication: names.publication,
    name: names.name,
    adminUrl: names.url,
    sink: names.sink.debezium,
  };
}

async function repeatedly(url: string, statements: string): Promise<void> {
  const attempt = async (): Promise<true> => {
    const client = await connectAdmin(url);
    try {
      await client.query(statements);
      return true;
    } finally {
      await client.end().catch(() => undefined);
    }
  };
  await until(attempt, { what: `the server to execute ${statements}`, timeoutMs: STATEMENT_TIMEOUT_MS, everyMs: 100 });
}

async function countRows(url: string, outbox: string): Promise<number> {
  const rows = await query<{ count: number }>(url, `SELECT count(*)::int AS count FROM ${outbox}`);
  return rows[0]!.count;
}

/** How many committed events are not at the broker. */
async function countAbsent(url: string, table: TableName, sink: Sink): Promise<number> {
  const committed = await query<{ id: string }>(url, `SELECT id::text FROM ${workloadTables(table).ledger}`);
  const arrived = new Set((await sink.arrived()).map(({ id }) => id));
  return committed.filter(({ id }) => !arrived.has(id)).length;
}

async function retainedBytes(url: string): Promise<number> {
  const rows = await query<{ bytes: number }>(
    url,
    `SELECT coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)), 0)::float8 AS bytes
       FROM pg_replication_slots WHERE database = current_database()`,
  );
  return rows[0]!.bytes;
}

async function query<Row extends pg.QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = await connectAdmin(url);
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}
