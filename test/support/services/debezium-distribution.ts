import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cached } from './cache.ts';
import { javaHome } from './java.ts';
import { runMaven } from './maven.ts';

const run = promisify(execFile);
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy';
const ARTIFACT = 'debezium-server-dist';
const JAVA = 21;

/** The newest version of Debezium Server whose distribution is on Maven Central. */
export const DEBEZIUM_VERSION = '3.0.0.Final';

/** A Debezium Server that can be started. */
export interface DebeziumDistribution {
  /** The `java` program. */
  readonly java: string;
  /** The class path without the folder of the configuration, which must be the working folder's `config`. */
  readonly classPath: string;
}

/**
 * Debezium Server from Maven Central (450 MB), kept in the cache folder; and a Java runtime for it.
 *
 * @throws when either is not to be had; the message says which
 */
export async function debeziumDistribution(): Promise<DebeziumDistribution> {
  const home = await javaHome(JAVA);
  const root = await cached(`debezium-server-${DEBEZIUM_VERSION}`, download);
  const server = join(root, 'debezium-server');
  const jars = [join(server, `${ARTIFACT}-${DEBEZIUM_VERSION}-runner.jar`), join(server, 'lib', '*')];
  return { java: join(home, 'bin/java'), classPath: jars.join(':') };
}

async function download(folder: string): Promise<void> {
  const artifact = `io.debezium:${ARTIFACT}:${DEBEZIUM_VERSION}:tar.gz`;
  await runMaven(folder, COPY, `-Dartifact=${artifact}`, `-DoutputDirectory=${folder}`);
  const archive = join(folder, `${ARTIFACT}-${DEBEZIUM_VERSION}.tar.gz`);
  await run('tar', ['-xzf', archive, '-C', folder]);
  await rm(archive);
}
