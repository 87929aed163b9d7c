import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from './child-process.ts';
import { unpackPackages } from './debian-packages.ts';
import { javaHome } from './java.ts';

const run = promisify(execFile);
const DOWNLOAD_TIMEOUT_MS = 600_000;

/**
 * Runs a goal of Maven with a repository of its own in `folder`, which is removed afterwards.
 *
 * @throws when Maven or Java are not to be had, or the goal fails: Maven Central does not answer
 */
export async function runMaven(folder: string, ...goal: string[]): Promise<void> {
  const maven = findProgram('mvn') ?? (await unpackedMaven());
  const repository = join(folder, 'repository');
  const env = { ...process.env, JAVA_HOME: await javaHome() };
  await run(maven, ['-q', '-B', '-ntp', `-Dmaven.repo.local=${repository}`, ...goal], {
    env,
    timeout: DOWNLOAD_TIMEOUT_MS,
  });
  await rm(repository, { recursive: true });
}

async function unpackedMaven(): Promise<string> {
  try {
    const root = await unpackPackages({ name: 'maven', dependencies: /^(maven|lib.+-java)$/ });
    return join(root, 'usr/share/maven/bin/mvn');
  } catch (error) {
    throw new Error('Maven, which fetches jars, is not installed and not to be had', { cause: error });
  }
}
