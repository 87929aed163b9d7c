import { quoteTable, type TableName } from '../../src/postgres/identifier.ts';
import { connectAdmin, createOutbox, createRole, dropRoles, postgresOptions } from '../support/outbox.ts';
import type { RelayConfig } from '../support/relay-child.ts';
import { until } from '../support/services/until.ts';
import { uniqueName } from '../support/unique-name.ts';
import type { Sink } from './brokers/broker.ts';
import type { RoundPlan } from './plan.ts';
import { RelayGroup } from './relays.ts';
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
  /** How many rows are in the outbox. */
  readonly size: () => Promise<number>;
  /** Kills the relays and drops the database. */
  readonly clear: () => Promise<void>;
}

/** Sets a round up. @param folder gets the relays' logs */
export async function openStage(services: Services, plan: RoundPlan, folder: string): Promise<Stage> {
  const name = uniqueName('chaos');
  const { postgres } = services;
  await postgres.query(`CREATE DATABASE ${name}`);
  const url = postgres.urlOf(name);
  const admin = await connectAdmin(url);
  const role = await createRole(admin, 'relay', 'REPLICATION');
  const { mapping, publication } = await createOutbox(admin, { relayRole: role });
  await admin.end();
  if (publication === null) throw new Error('an outbox of tests has a publication');
  const sink = await services.broker.openSink(name, plan);
  const relays = new RelayGroup(relayConfig(services, plan, { url, role, mapping, publication, sink, name }), folder);
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
    size: () => countRows(url, quoteTable(mapping)),
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
  const { memory, undeleted, passRows, handoverRows } = plan.settings;
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
    },
    limits: { memory, undeleted },
    leader: { lease: '4s' },
    log: { level: 'debug' },
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
  const client = await connectAdmin(url);
  try {
    const { rows } = await client.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${outbox}`);
    return rows[0]!.count;
  } finally {
    await client.end().catch(() => undefined);
  }
}
