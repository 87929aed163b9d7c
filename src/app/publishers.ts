import type { DestinationConfig } from '../config/index.ts';
import type { Address } from '../core/message.ts';
import type { Publisher } from '../core/publisher.ts';
import { ConsolePublisher } from '../publish/console/publisher.ts';
import { createKafkaPublisher, loadKafkaDriver } from '../publish/kafka/publisher.ts';
import { createRabbitmqPublisher } from '../publish/rabbitmq/publisher.ts';

/**
 * The publisher of a configured destination.
 *
 * @param addresses where its routes lead, as far as that is known beforehand
 */
export function createPublisher(config: DestinationConfig, addresses: readonly Address[]): Publisher {
  switch (config.type) {
    case 'kafka':
      return createKafkaPublisher(config);
    case 'rabbitmq':
      return createRabbitmqPublisher(config, addresses);
    case 'console':
      return new ConsolePublisher(process.stdout);
  }
}

/**
 * Loads the client libraries of Kafka destinations. To be done before standing for election: a leader whose process does
 * nothing else for that long may miss the renewal of its lease, and a standby that takes over should not have to wait.
 */
export async function loadClients(destinations: readonly DestinationConfig[]): Promise<void> {
  for (const config of destinations) if (config.type === 'kafka') await loadKafkaDriver(config.driver);
}
