import { join } from 'node:path';
import { javaHome } from './java.ts';
import { mavenJars } from './maven-jars.ts';

/** A Kafka server that can be started. */
export interface KafkaDistribution {
  /** The `java` program. */
  readonly java: string;
  /** The class path. */
  readonly classPath: string;
}

/**
 * The jars of a Kafka version, from Maven Central, kept in the cache folder; and a Java runtime for them.
 *
 * @throws when Java or the jars are not to be had; the message says which
 */
export async function kafkaDistribution(version: string): Promise<KafkaDistribution> {
  const home = await javaHome();
  const classPath = await mavenJars(`kafka-${version}`, [`org.apache.kafka:kafka_2.13:${version}`, logging(version)]);
  return { java: join(home, 'bin/java'), classPath };
}

/** The newest version whose programs are on Maven Central. */
const TOOLS_VERSION = '4.3.1';

/** The programs that are not part of the server, such as `org.apache.kafka.tools.ProducerPerformance`. @throws as above */
export async function kafkaTools(): Promise<KafkaDistribution> {
  const home = await javaHome();
  const artifacts = [`org.apache.kafka:kafka-tools:${TOOLS_VERSION}`, logging(TOOLS_VERSION)];
  return { java: join(home, 'bin/java'), classPath: await mavenJars(`kafka-tools-${TOOLS_VERSION}`, artifacts) };
}

/** Kafka 3 reaches for the classes of Log4j 1, which reload4j brings. */
function logging(version: string): string {
  return `org.slf4j:${version.startsWith('3.') ? 'slf4j-reload4j' : 'slf4j-simple'}:1.7.36`;
}
