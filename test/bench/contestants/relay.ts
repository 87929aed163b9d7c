import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { StatusReport } from '../../../src/core/status.ts';
import { freePort } from '../../support/services/ports.ts';
import { until } from '../../support/services/until.ts';
import type { Target } from '../brokers/broker.ts';
import { startChild } from './child.ts';
import type { Contestant } from './contestant.ts';

const MAIN = fileURLToPath(new URL('../../../dist/main.js', import.meta.url));
const STATUS_TIMEOUT_MS = 2_000;
const STREAMING_TIMEOUT_MS = 60_000;

/** The relay as it is built, with its defaults, in a process of its own. @param nodeArguments for its node */
export function relay(nodeArguments: readonly string[]): Contestant {
  return {
    name: 'outbox-relay',
    role: 'relay',
    brokers: ['kafka', 'rabbitmq'],
    deletes: true,
    start: async ({ postgresUrl, target, folder }) => {
      const port = await freePort();
      const file = join(folder, 'outbox-relay.yaml');
      await writeFile(file, stringify({ postgres: { url: postgresUrl }, ...destinationOf(target), admin: { port } }));
      return startChild({
        command: process.execPath,
        args: [...nodeArguments, MAIN, 'run', '--config', file],
        folder,
        untilStreaming: async (child) => {
          await until(() => isStreaming(port), {
            what: 'the relay to stream',
            timeoutMs: STREAMING_TIMEOUT_MS,
            details: () => child.output(),
          });
        },
        endsWith: 'exit code 0',
      });
    },
  };
}

function destinationOf(target: Target): object {
  switch (target.broker) {
    case 'kafka':
      return {
        destinations: { kafka: { type: 'kafka', brokers: target.brokers } },
        routes: [{ destination: 'kafka', topic: target.topic }],
      };
    case 'rabbitmq':
      return {
        destinations: { rabbitmq: { type: 'rabbitmq', url: target.url } },
        routes: [{ destination: 'rabbitmq', exchange: target.exchange }],
      };
  }
}

async function isStreaming(port: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/status`, { signal: AbortSignal.timeout(STATUS_TIMEOUT_MS) });
  const { destinations } = (await answer.json()) as StatusReport;
  return destinations.length > 0 && destinations.every(({ state }) => state === 'streaming');
}
