import type { PostgresMajor } from '../support/services/postgres.ts';
import type { Broker, BrokerName } from './brokers/broker.ts';
import { startKafkaBroker } from './brokers/kafka.ts';
import { startRabbitmqBroker } from './brokers/rabbitmq.ts';
import { DatabaseServer } from './database-server.ts';

/** What all rounds of a run share. */
export interface Services {
  readonly postgres: DatabaseServer;
  readonly broker: Broker;
  readonly dispose: () => Promise<void>;
}

const BROKERS: Readonly<Record<BrokerName, () => Promise<Broker>>> = {
  kafka: startKafkaBroker,
  rabbitmq: startRabbitmqBroker,
};

/** Starts a server and a broker of the run's own. @param version of Postgres, default `$PG_VERSION` or 18 */
export async function startServices(name: BrokerName, version?: PostgresMajor): Promise<Services> {
  const postgres = await DatabaseServer.start(version);
  const broker = await BROKERS[name]();
  return {
    postgres,
    broker,
    dispose: async () => {
      await Promise.all([broker.dispose(), postgres.dispose()]);
    },
  };
}
