import pg from 'pg';
import { createInboxTables } from 'outbox-relay/inbox';
import { quoteIdentifier } from '../../src/core/identifier.ts';
import { tableMapping } from '../../src/app/routes.ts';
import { loadConfig } from '../../src/config/index.ts';
import { applyInit } from '../../src/postgres/init.ts';
import { closeConnection, connectSql } from '../../src/postgres/connection.ts';
import { type CommitProxy, commitProxy } from '../../test/support/commit-proxy.ts';
import type { RelayConfig } from '../../test/support/relay-child.ts';
import { freePorts } from '../../test/support/services/ports.ts';
import type { StartedPostgres } from '../../test/support/services/postgres.ts';
import { removeScratchFolder, scratchFolder } from '../../test/support/services/scratch.ts';
import type { StartedRabbitmq } from '../../test/support/services/rabbitmq.ts';
import { type OwnProcess, relayProcess, serviceProcess } from './processes.ts';
import { ORDER_TABLES } from './services/orders/orders.ts';
import { PAYMENT_TABLES } from './services/payments/payments.ts';
import type { Style } from './services/runtime/config.ts';
import { STOCK_TABLES } from './services/stock/stock.ts';

/** The services, with the tables of each. */
const TABLES = { orders: ORDER_TABLES, payments: PAYMENT_TABLES, stock: STOCK_TABLES };

export type ServiceName = keyof typeof TABLES;
export const SERVICES = Object.keys(TABLES) as ServiceName[];

const RELAY_ROLE = 'outbox_relay';

/** What everything runs on. */
export interface Ground {
  readonly postgres: StartedPostgres;
  readonly rabbitmq: StartedRabbitmq;
}

/** Everything that is set up for one style. Disposing it kills what runs. */
export interface Stage extends AsyncDisposable {
  readonly style: Style;
  readonly exchange: string;
  /** Of each service's database, as the superuser. */
  readonly databases: Readonly<Record<ServiceName, string>>;
  readonly shopUrl: string;
  readonly services: readonly Service[];
  readonly relays: readonly OwnProcess[];
  /** Services and relays. */
  readonly processes: readonly OwnProcess[];
}

export interface Service extends OwnProcess {
  /** Stands between it and its database. */
  readonly commits: CommitProxy;
}

/** Makes the databases, each with its outbox and its inbox, and what is to be started. */
export async function setUp(
  { postgres, rabbitmq }: Ground,
  options: {
    readonly style: Style;
    readonly orderTimeoutMs: number;
    readonly providerUrl: string;
  },
): Promise<Stage> {
  const { style } = options;
  const folder = await scratchFolder('saga');
  const exchange = `shop.${style}`;
  const ports = await freePorts(SERVICES.length);
  const urlOf = (service: ServiceName): string => `http://127.0.0.1:${ports[SERVICES.indexOf(service)] ?? 0}`;
  await createRole(postgres, RELAY_ROLE, 'REPLICATION');
  const made = await Promise.all(
    SERVICES.map(async (service) => {
      await createRole(postgres, service);
      const database = await postgres.createDatabase(`${service}_${style}`);
      const config = relayConfig(as(database, RELAY_ROLE), rabbitmq.url, exchange);
      await createTables(database, service, config);
      const commits = await commitProxy(postgres);
      const env = {
        DATABASE_URL: as(database, service, commits.port),
        AMQP_URL: rabbitmq.url,
        EXCHANGE: exchange,
        PORT: new URL(urlOf(service)).port,
        STYLE: style,
        ORDER_TIMEOUT_MS: String(options.orderTimeoutMs),
        PROVIDER_URL: options.providerUrl,
        STOCK_URL: urlOf('stock'),
      };
      return {
        database,
        service: { ...(await serviceProcess(service, folder, env)), commits },
        relay: await relayProcess(`relay-of-${service}`, folder, config),
      };
    }),
  );
  const services = made.map(({ service }) => service);
  const relays = made.map(({ relay }) => relay);
  const processes = [...services, ...relays];
  return {
    style,
    exchange,
    databases: Object.fromEntries(SERVICES.map((name, index) => [name, made[index]?.database])) as Stage['databases'],
    shopUrl: urlOf('orders'),
    services,
    relays,
    processes,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(processes.map((each) => each.kill()));
      await Promise.all(services.map(({ commits }) => commits[Symbol.asyncDispose]()));
      await removeScratchFolder(folder);
    },
  };
}

/** From an outbox to the exchange: the type of a message is its routing key, its order's id its key. */
function relayConfig(databaseUrl: string, amqpUrl: string, exchange: string): RelayConfig {
  return {
    postgres: { url: databaseUrl },
    leader: { lease: '2s' }, // so long a relay that was killed is waited for
    destinations: {
      rabbitmq: { type: 'rabbitmq', url: amqpUrl, declareExchanges: [{ name: exchange, type: 'topic' }] },
    },
    routes: [{ destination: 'rabbitmq', exchange, routingKey: '${type}', headers: { key: '${aggregateid}' } }],
  };
}

async function createTables(database: string, service: ServiceName, relay: RelayConfig): Promise<void> {
  const config = loadConfig({ file: 'relay.yaml', env: {}, readFile: () => JSON.stringify(relay) });
  const client = await connectSql({ ...config.postgres, user: 'postgres' }, 'setup');
  try {
    const roles = { relayRole: RELAY_ROLE, writerRole: service };
    const mapping = tableMapping(config);
    await applyInit(client, { mapping, payload: 'jsonb', ...roles, publication: config.capture.publication }, true);
  } finally {
    await closeConnection(client);
  }
  await withClient(database, async (admin) => {
    await admin.query(`GRANT CREATE ON SCHEMA public TO ${quoteIdentifier(service)}`);
    await admin.query(`SET ROLE ${quoteIdentifier(service)}`);
    await admin.query(TABLES[service]);
    await createInboxTables(admin);
  });
}

async function createRole(postgres: StartedPostgres, role: string, attributes = ''): Promise<void> {
  const rows = await postgres.query('SELECT FROM pg_roles WHERE rolname = $1', [role]);
  if (rows.length === 0) await postgres.query(`CREATE ROLE ${quoteIdentifier(role)} LOGIN ${attributes}`);
}

/** The same database for another role. @param port another way to it */
function as(database: string, role: string, port?: number): string {
  const url = new URL(database);
  url.username = role;
  if (port !== undefined) url.port = String(port);
  return url.href;
}

/** The time of an order is over. */
export async function expireOrder({ databases }: Stage, id: string): Promise<void> {
  await withClient(databases.orders, (client) =>
    client.query('UPDATE orders SET expires_at = now() WHERE id = $1', [id]),
  );
}

/** Does something as the superuser of a database. */
export async function withClient<T>(database: string, act: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  try {
    return await act(client);
  } finally {
    await client.end();
  }
}
