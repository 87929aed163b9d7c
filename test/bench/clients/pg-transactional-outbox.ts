/** Publishes to Kafka what pg-transactional-outbox hands over: in its order, what comes at the same time in one request. */
import { createRequire } from 'node:module';
import { ProduceAcks, Producer } from '@platformatic/kafka';
import { partitionForKey } from '../../../src/publish/kafka/murmur2.ts';
import { type ClientAssignment, readAssignment } from './assignment.ts';

/** What the process is told. */
export interface TransactionalOutboxAssignment extends ClientAssignment<'kafka'> {
  readonly postgresUrl: string;
  readonly slot: string;
  readonly publication: string;
  /** Schema and name. */
  readonly table: string;
  /** A file beside the library's node_modules. */
  readonly library: string;
}

interface OutboxMessage {
  readonly id: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly payload: unknown;
}

/** What of the library is used. */
interface Library {
  initializeReplicationMessageListener(
    config: object,
    handler: { handle(message: OutboxMessage): Promise<void> },
    logger: object,
    strategies: object,
  ): unknown;
  createReplicationSegmentMutexConcurrencyController(): unknown;
  getDisabledLogger(): object;
}

/** More than its pool has by default, so that more keys are worked on at once. */
const CONNECTIONS = 20;

const { target, postgresUrl, slot, publication, table, library } = readAssignment() as TransactionalOutboxAssignment;
const outbox = createRequire(library)('pg-transactional-outbox') as Library;
const producer = new Producer<Buffer, Buffer, Buffer, Buffer>({
  clientId: 'pg-transactional-outbox',
  bootstrapBrokers: [...target.brokers],
  idempotent: true,
  acks: ProduceAcks.ALL,
  retries: false,
  maxInflights: 1,
});
const ID = Buffer.from('id');

let waiting: ReturnType<typeof messageOf>[] = [];
let last = Promise.resolve();

function messageOf({ id, aggregateType, aggregateId, payload }: OutboxMessage) {
  const key = Buffer.from(aggregateId);
  return {
    topic: `${target.topicPrefix}${aggregateType}`,
    partition: partitionForKey(key, target.partitions),
    key,
    value: Buffer.from(JSON.stringify(payload)),
    headers: new Map([[ID, Buffer.from(id)]]),
  };
}

/** One request is under way at a time; what comes meanwhile goes with the next. */
function publish(message: OutboxMessage): Promise<void> {
  waiting.push(messageOf(message));
  if (waiting.length === 1) last = last.then(sendWaiting);
  return last;
}

async function sendWaiting(): Promise<void> {
  const messages = waiting;
  waiting = [];
  await producer.send({ messages });
}

/** Such as of a row that it reads in the log, does not see in the table, and leaves out. */
function complain(...about: unknown[]): void {
  console.error(...about);
}

const [dbSchema, dbTable] = table.split('.');
outbox.initializeReplicationMessageListener(
  {
    outboxOrInbox: 'outbox',
    dbListenerConfig: { connectionString: postgresUrl },
    dbHandlerConfig: { connectionString: postgresUrl, max: CONNECTIONS },
    settings: {
      ...{ dbSchema, dbTable, dbPublication: publication, dbReplicationSlot: slot },
      // What waits for a connection counts as being processed.
      messageProcessingTimeoutInMs: 600_000,
      enableMaxAttemptsProtection: false,
      enablePoisonousMessageProtection: false,
      messageCleanupIntervalInMs: 0,
    },
  },
  { handle: publish },
  { ...outbox.getDisabledLogger(), warn: complain, error: complain, fatal: complain },
  { concurrencyStrategy: outbox.createReplicationSegmentMutexConcurrencyController() },
);
