import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { exists } from './cache.ts';
import { findProgram } from './child-process.ts';
import { unpackPackages } from './debian-packages.ts';

/** A RabbitMQ server that can be started. */
export interface RabbitmqDistribution {
  /** The folder of the scripts rabbitmq-server and rabbitmqctl. */
  readonly scripts: string;
  /** The folders of `erl` and `epmd`. */
  readonly erlang: string;
  readonly epmd: string;
  /** Folders of shared libraries that come with it. */
  readonly libraries: readonly string[];
}

/**
 * RabbitMQ as it is installed, or else the distribution's package unpacked into the cache folder.
 *
 * @throws when it is not to be had; the message says why
 */
export async function rabbitmqDistribution(): Promise<RabbitmqDistribution> {
  return (await installed()) ?? (await unpacked());
}

async function installed(): Promise<RabbitmqDistribution | undefined> {
  // The scripts themselves and not the wrappers in /usr/sbin, which change to another account.
  const homebrew = ['/opt/homebrew/opt/rabbitmq/sbin', '/usr/local/opt/rabbitmq/sbin'];
  const scripts = await firstExisting([...(await scriptFolders('/')), ...homebrew], 'rabbitmq-server');
  const erl = findProgram('erl', ['/usr/bin', '/opt/homebrew/bin', '/usr/local/bin']);
  const epmd = findProgram('epmd', ['/usr/bin', '/opt/homebrew/bin', '/usr/local/bin']);
  if (scripts === undefined || erl === undefined || epmd === undefined) return undefined;
  return { scripts, erlang: dirname(erl), epmd, libraries: [] };
}

async function unpacked(): Promise<RabbitmqDistribution> {
  const root = await unpackPackages({ name: 'rabbitmq-server', dependencies: /^(erlang|libssl3|libsctp1|libtinfo6)/ });
  const scripts = await firstExisting(await scriptFolders(root), 'rabbitmq-server');
  const erlang = join(root, 'usr/lib/erlang');
  const runtime = (await readdir(erlang)).find((name) => name.startsWith('erts-'));
  if (scripts === undefined || runtime === undefined) throw new Error('the packages of RabbitMQ lack its scripts');
  const libraries = (await readdir(join(root, 'usr/lib'))).filter((name) => name.endsWith('-linux-gnu'));
  return {
    scripts,
    erlang: join(erlang, 'bin'),
    epmd: join(erlang, runtime, 'bin/epmd'),
    libraries: libraries.map((name) => join(root, 'usr/lib', name)),
  };
}

async function scriptFolders(root: string): Promise<string[]> {
  const lib = join(root, 'usr/lib/rabbitmq/lib');
  const versions = await readdir(lib).catch(() => []);
  return versions.map((version) => join(lib, version, 'sbin'));
}

async function firstExisting(folders: readonly string[], file: string): Promise<string | undefined> {
  const there = await Promise.all(folders.map((folder) => exists(join(folder, file))));
  return folders.find((_, index) => there[index]);
}
