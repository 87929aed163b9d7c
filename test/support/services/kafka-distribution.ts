import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cached } from './cache.ts';
import { javaHome } from './java.ts';
import { runMaven } from './maven.ts';

const DEPENDENCY_PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

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
  const jars = await cached(`kafka-${version}`, (folder) => downloadJars(version, folder));
  return { java: join(home, 'bin/java'), classPath: join(jars, '*') };
}

async function downloadJars(version: string, folder: string): Promise<void> {
  const project = join(folder, 'pom.xml');
  await writeFile(project, projectFile(version));
  await runMaven(folder, '-f', project, DEPENDENCY_PLUGIN, '-DincludeScope=runtime', `-DoutputDirectory=${folder}`);
}

// Kafka 3 reaches for the classes of Log4j 1, which reload4j brings.
function projectFile(version: string): string {
  const logging = version.startsWith('3.') ? 'slf4j-reload4j' : 'slf4j-simple';
  const dependency = (group: string, artifact: string, itsVersion: string) =>
    `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${itsVersion}</version></dependency>`;
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>outbox-relay</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <dependencies>
    ${dependency('org.apache.kafka', 'kafka_2.13', version)}
    ${dependency('org.slf4j', logging, '1.7.36')}
  </dependencies>
</project>
`;
}
