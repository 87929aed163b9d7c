/** Sends the rows of a case by @platformatic/kafka alone, with the settings and batches of the relay. */
import { ProduceAcks, Producer } from '@platformatic/kafka';
import { KAFKA_DEFAULTS } from '../../../src/publish/kafka/options.ts';
import { partitionForKey } from '../../../src/publish/kafka/murmur2.ts';
import { idOf, keyOf, payloads } from '../rows.ts';
import { type ClientAssignment, readAssignment, stay } from './assignment.ts';

const { target, rows, shape } = readAssignment() as ClientAssignment<'kafka'>;
const payloadOf = payloads(shape);
const ID = Buffer.from('id');
const TYPE = Buffer.from('type');
const WRITTEN = Buffer.from('written');

const producer = new Producer<Buffer, Buffer, Buffer, Buffer>({
  clientId: 'client-alone',
  bootstrapBrokers: [...target.brokers],
  idempotent: true,
  acks: ProduceAcks.ALL,
  retries: false,
  maxInflights: 1,
});

function messageOf(n: number) {
  const key = Buffer.from(keyOf(n, shape));
  return {
    topic: target.topics[n % target.topics.length] ?? '',
    partition: partitionForKey(key, target.partitions),
    key,
    value: Buffer.from(payloadOf(Date.now())),
    headers: new Map([
      [ID, Buffer.from(idOf(n))],
      [TYPE, WRITTEN],
    ]),
  };
}

for (let first = 1; first <= rows; first += KAFKA_DEFAULTS.batchRows) {
  const length = Math.min(KAFKA_DEFAULTS.batchRows, rows - first + 1);
  await producer.send({ messages: Array.from({ length }, (_, index) => messageOf(first + index)) });
}
await stay();
