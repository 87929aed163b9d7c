import { headerOf, type TopicRecord } from '../kafka-reader.ts';
import type { QueueMessage } from '../rabbit-reader.ts';
import type { WrittenEvent } from './transaction.ts';

/** Events as Kafka has them: ordered by partition and offset. */
export function eventsInTopic(records: readonly TopicRecord[]): WrittenEvent[] {
  return records.map((record) => ({
    id: headerOf(record, 'id') ?? 'without id',
    key: record.key?.toString() ?? 'without key',
    version: versionIn(record.value),
  }));
}

/** Events as RabbitMQ has them: in the order of the queue. */
export function eventsInQueue(messages: readonly QueueMessage[]): WrittenEvent[] {
  return messages.map(({ content, properties }) => ({
    // that of a peer which sets no message id
    id: String(properties.messageId ?? properties.headers?.id),
    key: (JSON.parse(content.toString()) as { key: string }).key,
    version: versionIn(content),
  }));
}

function versionIn(body: Buffer | null): number {
  return body === null ? Number.NaN : (JSON.parse(body.toString()) as { version: number }).version;
}
