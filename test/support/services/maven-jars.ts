import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cached } from './cache.ts';
import { runMaven } from './maven.ts';

const DEPENDENCY_PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

/**
 * The class path of what Maven Central has: the artifacts and all that they need at run time, kept in the cache folder.
 *
 * @param name of the folder in the cache; with the version
 * @param artifacts `group:artifact:version`
 * @throws when Maven, Java or the jars are not to be had; the message says which
 */
export async function mavenJars(name: string, artifacts: readonly string[]): Promise<string> {
  const jars = await cached(name, async (folder) => {
    const project = join(folder, 'pom.xml');
    await writeFile(project, projectFile(artifacts));
    await runMaven(folder, '-f', project, DEPENDENCY_PLUGIN, '-DincludeScope=runtime', `-DoutputDirectory=${folder}`);
  });
  return join(jars, '*');
}

function projectFile(artifacts: readonly string[]): string {
  const dependencies = artifacts.map((each) => {
    const [group, artifact, version] = each.split(':');
    return `    <dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  });
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>outbox-relay</groupId><artifactId>jars-for-tests</artifactId><version>1</version>
  <dependencies>
${dependencies.join('\n')}
  </dependencies>
</project>
`;
}
