import type { RelayError } from '../../core/errors.ts';
import type { Finding } from '../../core/finding.ts';
import type { Address } from '../../core/message.ts';
import type { KafkaDriver } from './driver.ts';
import { troubleOf } from './errors.ts';

const ASKING = 'asking Kafka';

/**
 * Examines a cluster for `outbox-relay check`: reachable, logged in, may publish, and has the topics of the routes.
 *
 * @param explain says why a connection failed
 */
export async function checkKafka(
  driver: KafkaDriver,
  addresses: readonly Address[],
  explain: (thrown: unknown) => Promise<RelayError>,
): Promise<readonly Finding[]> {
  try {
    await driver.connect();
  } catch (thrown) {
    return [failed('kafka.brokers', await explain(thrown))];
  }
  try {
    const brokers = await driver.brokerCount();
    const findings: Finding[] = [
      { status: 'ok', subject: 'kafka.brokers', message: `${brokers} broker(s), an idempotent producer is permitted` },
    ];
    const topics = new Set(addresses.flatMap((address) => (address.kind === 'topic' ? [address.topic] : [])));
    for (const topic of topics) findings.push(await checkTopic(driver, topic, brokers));
    return findings;
  } catch (thrown) {
    return [failed('kafka.brokers', troubleOf(thrown, ASKING).error)];
  }
}

async function checkTopic(driver: KafkaDriver, topic: string, brokers: number): Promise<Finding> {
  const subject = `kafka.topic.${topic}`;
  try {
    const found = await driver.describe(topic);
    if (found === null)
      return {
        status: 'error',
        subject,
        message: `there is no topic ${topic}, or this user may not describe it`,
        remedy: `kafka-topics.sh --create --topic ${topic} --partitions 12 --replication-factor ${Math.min(3, brokers)}`,
      };
    if (found.replicas < 2 && brokers > 1)
      return {
        status: 'warning',
        subject,
        message: `${topic} has a single replica: what is acknowledged is lost with one broker`,
        remedy: `kafka-reassign-partitions.sh, to give ${topic} 3 replicas, with min.insync.replicas=2`,
      };
    return { status: 'ok', subject, message: `${found.partitions} partition(s), ${found.replicas} replica(s)` };
  } catch (thrown) {
    return failed(subject, troubleOf(thrown, ASKING).error);
  }
}

function failed(subject: string, { message, remedy }: RelayError): Finding {
  return { status: 'error', subject, message, remedy };
}
