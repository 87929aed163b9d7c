import type { Config, DestinationConfig } from '../config/index.ts';
import { RelayError } from '../core/errors.ts';
import type { ReportProgress } from '../core/progress.ts';
import { closeConnection, connectSql } from '../postgres/connection.ts';
import { sampleLag } from '../postgres/lag.ts';
import { SqlSession } from '../postgres/session.ts';
import { inspectTable } from '../postgres/table.ts';
import { IN_ORDER_SETTINGS } from '../postgres/unpublished-rows.ts';
import type { DestinationTask } from '../verify/destination.ts';
import { verifyKafka } from '../verify/kafka-destination.ts';
import { openKafkaLog } from '../verify/kafka-log.ts';
import { verifyStream, watchExchanges } from '../verify/rabbit-destination.ts';
import { RabbitQueues } from '../verify/rabbit-queue.ts';
import { PublishedRecord } from '../verify/record.ts';
import { type DestinationReport, isSound, type VerifyReport } from '../verify/report.ts';
import { addressTemplates, tableMapping } from './routes.ts';

/** What `outbox-relay verify` is asked. */
export interface VerifyOptions {
  /** Null: all destinations that have a broker. */
  readonly destination: string | null;
  /** Milliseconds since 1970, or how long before now. */
  readonly since: Moment;
  readonly until: Moment;
  readonly marginMs: number;
  /** Kafka: these topics instead of those of the routes. */
  readonly topics: readonly string[];
  /** RabbitMQ: a queue of type stream; null: what is published from now on is watched. */
  readonly queue: string | null;
  /** RabbitMQ: the patterns by which the stream is bound; none: it gets all of the destination. */
  readonly routingKeys: readonly string[];
  /** RabbitMQ: how long is watched. */
  readonly forMs: number;
  readonly examples: number;
  readonly strict: boolean;
}

/** A moment, by the database's clock. */
export type Moment = { readonly at: number } | { readonly agoMs: number };

/**
 * Compares what was published with what the brokers hold. Changes nothing.
 *
 * @param report told how far reading has come
 * @throws RelayError when one of the two cannot be read
 */
export async function verifyAll(
  config: Config,
  options: VerifyOptions,
  report: ReportProgress,
  signal: AbortSignal,
): Promise<VerifyReport> {
  const client = await connectSql(config.postgres, 'verify');
  const session = new SqlSession(config.postgres, { role: 'verify', settings: IN_ORDER_SETTINGS });
  try {
    const table = await inspectTable(client, tableMapping(config));
    const record = new PublishedRecord(client, table);
    const destinations: DestinationReport[] = [];
    for (const [name, destination] of chosen(config, options)) {
      const task = { ...(await taskOf(config, options, record, name)), report };
      destinations.push(await verifyDestination(destination, task, options, signal));
    }
    const { waitingRows, estimated } = await sampleLag(session, table);
    const ok = destinations.every((result) => isSound(result, options.strict));
    return { ok, waitingRows, waitingRowsEstimated: estimated, destinations };
  } finally {
    await Promise.all([closeConnection(client), session.close()]);
  }
}

/** @throws RelayError `verify_refused` when there is nothing to read */
function chosen({ destinations }: Config, { destination }: VerifyOptions): [string, DestinationConfig][] {
  const all = Object.entries(destinations);
  const found = all.filter(([name, { type }]) => type !== 'console' && (destination === null || name === destination));
  if (found.length > 0) return found;
  const what = destination === null ? 'no destination has a broker' : `there is no broker behind '${destination}'`;
  throw new RelayError('verify_refused', `${what}; there are ${all.map(([name]) => name).join(', ')}`);
}

async function taskOf(
  config: Config,
  { since, until, marginMs, examples }: VerifyOptions,
  record: PublishedRecord,
  destination: string,
): Promise<Omit<DestinationTask, 'report'>> {
  const now = await record.clock();
  const moment = (given: Moment): number => Math.min(now, 'at' in given ? given.at : now - given.agoMs);
  const routes = config.routes.filter((route) => route.destination === destination);
  return {
    destination,
    record,
    templates: routes.flatMap(addressTemplates),
    window: { since: moment(since), until: moment(until) },
    recordBegin: config.published.retain === null ? null : await record.begin(),
    marginMs,
    examples,
  };
}

async function verifyDestination(
  config: DestinationConfig,
  task: DestinationTask,
  { topics, queue, routingKeys, forMs }: VerifyOptions,
  signal: AbortSignal,
): Promise<DestinationReport> {
  switch (config.type) {
    case 'kafka': {
      const log = await openKafkaLog(config);
      try {
        return await verifyKafka(task, log, topics);
      } finally {
        await log.close();
      }
    }
    case 'rabbitmq': {
      const queues = await RabbitQueues.open(config, signal);
      try {
        if (queue !== null) return await verifyStream(task, queues, queue, routingKeys);
        return await watchExchanges(task, queues, forMs);
      } finally {
        await queues.close();
      }
    }
    case 'console':
      throw new RelayError('verify_refused', `${task.destination} writes to standard output, which cannot be read`);
  }
}
