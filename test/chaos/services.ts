import { type PostgresMajor, type StartedPostgres, startPostgres } from '../support/services/postgres.ts';
import { TcpProxy } from '../support/services/tcp-proxy.ts';
import type { Broker, BrokerName } from './brokers/broker.ts';
import { startKafkaBroker } from './brokers/kafka.ts';
import { startRabbitmqBroker } from './brokers/rabbitmq.ts';

/** What all rounds of a run share. */
export interface Services {
  readonly postgres: StartedPostgres;
  /** What relays connect through. */
  readonly postgresProxy: TcpProxy;
  readonly broker: Broker;
  dispose(): Promise<void>;
}

const BROKERS: Readonly<Record<BrokerName, () => Promise<Broker>>> = {
  kafka: startKafkaBroker,
  rabbitmq: startRabbitmqBroker,
};

/** Starts a server and a broker of the run's own. @param version default `$PG_VERSION` or 18 */
export async function startServices(name: BrokerName, version?: PostgresMajor): Promise<Services> {
  const postgres = await startPostgres(version === undefined ? {} : { version });
  const postgresProxy = await TcpProxy.start({ host: postgres.host, port: postgres.port });
  const broker = await BROKERS[name]();
  return {
    postgres,
    postgresProxy,
    broker,
    dispose: async () => {
      await postgresProxy.dispose();
      await Promise.all([broker.dispose(), postgres.dispose()]);
    },
  };
}
