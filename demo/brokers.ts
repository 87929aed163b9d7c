import { consoleBroker } from './broker-console.ts';
import { kafkaBroker } from './broker-kafka.ts';
import { rabbitmqBroker } from './broker-rabbitmq.ts';
import type { DemoBroker, OnArrival } from './broker.ts';
import type { BrokerName } from './options.ts';

/** The brokers to choose from; each starts to read at once. */
export const BROKERS: Readonly<Record<BrokerName, (onArrival: OnArrival) => Promise<DemoBroker>>> = {
  console: consoleBroker,
  kafka: kafkaBroker,
  rabbitmq: rabbitmqBroker,
};
