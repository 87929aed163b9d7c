import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { StatusReport } from '../../../src/core/status.ts';
import { freePort } from '../../support/services/ports.ts';
import { until } from '../../support/services/until.ts';
import type { Target } from '../brokers/broker.ts';
import { OTHER_TYPE } from '../rows.ts';
import { makeShardPublications } from '../database.ts';
import { startChild, together } from './child.ts';
import type { Contestant, RunningContestant } from './contestant.ts';

const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));
const STATUS_TIMEOUT_MS = 2_000;
const STREAMING_TIMEOUT_MS = 60_000;

/** What stands beside the destination that is measured: nothing, one that gets no rows, or one whose broker is gone. */
export type Neighbour = 'none' | 'idle' | 'dead';

/** Rows that wait for a neighbour that is dead. */
const WAITING_ROWS = 100_000;

/**
 * The relay as it is built, with its defaults, in a process of its own.
 *
 * @param nodeArguments for its node
 * @param neighbour where there is an idle one, the relay is measured for comparison only
 */
export function relay(nodeArguments: readonly string[], neighbour: Neighbour = 'none'): Contestant {
  return {
    name: neighbour === 'idle' ? 'beside-idle' : 'outbox-relay',
    role: neighbour === 'idle' ? 'peer' : 'relay',
    does: 'all',
    check: 'ids',
    brokers: ['kafka', 'rabbitmq'],
    deletes: true,
    otherRows: neighbour === 'dead' ? WAITING_ROWS : 0,
    fetch: () => Promise.resolve(),
    start: async ({ postgresUrl, target, folder }) => {
      const port = await freePort();
      const { destinations, routes } = destinationOf(target);
      const beside = await neighbourOf(neighbour, destinations[target.broker]);
      const config = {
        postgres: { url: postgresUrl },
        destinations: { ...destinations, ...beside.destinations },
        routes: [...beside.routes, ...routes],
        admin: { port },
      };
      return startProcess(nodeArguments, config, folder, () =>
        until(() => isStreaming(port, target.broker), {
          what: 'the relay to stream',
          timeoutMs: STREAMING_TIMEOUT_MS,
        }),
      );
    },
  };
}

/** One process: for comparison with {@link relaysWithShards}. */
export function relayAsOneProcess(nodeArguments: readonly string[]): Contestant {
  return { ...relay(nodeArguments), name: 'one-process', role: 'peer' };
}

/** As many processes as there are shards, which come to lead one each. */
export function relaysWithShards(nodeArguments: readonly string[], shards: number): Contestant {
  return {
    ...relay(nodeArguments),
    name: `${shards}-processes`,
    prepare: ({ postgresUrl }) => makeShardPublications(postgresUrl, shards),
    start: async ({ postgresUrl, target, folder }) => {
      const ports = await Promise.all(Array.from({ length: shards }, freePort));
      const starting = ports.map(async (port) => {
        const own = join(folder, String(port));
        await mkdir(own);
        const config = { postgres: { url: postgresUrl }, ...destinationOf(target), admin: { port }, shards };
        return startProcess(nodeArguments, config, own, () => Promise.resolve());
      });
      return together(await Promise.all(starting), async () => {
        await until(async () => (await Promise.all(ports.map(leadsOneByTheLog))).every(Boolean), {
          what: 'each relay to lead one shard by the log',
          timeoutMs: STREAMING_TIMEOUT_MS,
        });
      });
    },
  };
}

async function startProcess(
  nodeArguments: readonly string[],
  config: object,
  folder: string,
  untilStreaming: () => Promise<unknown>,
): Promise<RunningContestant> {
  const file = join(folder, 'outbox-relay.yaml');
  await writeFile(file, stringify(config));
  return startChild({
    command: process.execPath,
    args: [...nodeArguments, MAIN, 'run', '--config', file],
    folder,
    untilStreaming: async () => {
      await untilStreaming();
    },
    ends: { by: 'SIGTERM', with: 'exit code 0' },
  });
}

interface Destinations {
  readonly destinations: Readonly<Record<string, object>>;
  readonly routes: readonly object[];
}

/** A destination `other` for the rows of {@link OTHER_TYPE}. */
async function neighbourOf(neighbour: Neighbour, like: object | undefined): Promise<Destinations> {
  if (neighbour === 'none') return { destinations: {}, routes: [] };
  const dead = { type: 'kafka', brokers: [`127.0.0.1:${await freePort()}`] };
  return {
    destinations: { other: neighbour === 'dead' ? dead : (like ?? dead) },
    // the name of the address is of no account: no row ever gets there
    routes: [{ match: { aggregatetype: OTHER_TYPE }, destination: 'other' }],
  };
}

function destinationOf(target: Target): Destinations {
  switch (target.broker) {
    case 'kafka':
      return {
        destinations: { kafka: { type: 'kafka', brokers: target.brokers } },
        routes: [{ destination: 'kafka', topic: topicOf(target) }],
      };
    case 'rabbitmq':
      return {
        destinations: { rabbitmq: { type: 'rabbitmq', url: target.url } },
        routes: [{ destination: 'rabbitmq', exchange: target.exchange }],
      };
  }
}

function topicOf({ topics, topicPrefix }: Extract<Target, { broker: 'kafka' }>): string {
  const [only, ...others] = topics;
  return only !== undefined && others.length === 0 ? only : `${topicPrefix}\${aggregatetype}`;
}

async function isStreaming(port: number, destination: string): Promise<boolean> {
  const { destinations } = await statusOf(port);
  return destinations.some(({ name, state }) => name === destination && state === 'streaming');
}

async function leadsOneByTheLog(port: number): Promise<boolean> {
  const led = (await statusOf(port)).shards.filter(({ leads }) => leads);
  return led.length === 1 && led.every(({ states }) => Object.values(states).every((state) => state === 'streaming'));
}

async function statusOf(port: number): Promise<StatusReport> {
  const answer = await fetch(`http://127.0.0.1:${port}/status`, { signal: AbortSignal.timeout(STATUS_TIMEOUT_MS) });
  return (await answer.json()) as StatusReport;
}
